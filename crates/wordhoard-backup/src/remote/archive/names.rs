use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::FOLDER;
use crate::remote::RemoteError;
use crate::remote::error::at;
use crate::remote::name::is_good_part;

const DIGITS: usize = 20;
const FILE_END: &str = ".wal";
const OBJECT_END: &str = ".wal.zst";

/// Which segment of which log. In the order of their records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SegmentName {
    pub(super) log_id: String,
    pub(super) first_position: u64,
}

impl SegmentName {
    pub(super) fn of_object(name: &str) -> Option<Self> {
        let (log_id, file) = name.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
        Self::new(log_id, file.strip_suffix(OBJECT_END)?)
    }

    fn new(log_id: &str, digits: &str) -> Option<Self> {
        let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || !is_good_part(log_id) {
            return None;
        }
        Some(Self { log_id: log_id.to_owned(), first_position: digits.parse().ok()? })
    }

    pub(super) fn file(&self) -> String {
        format!("{:020}{FILE_END}", self.first_position)
    }

    pub(super) fn path(&self, archive: &Path) -> PathBuf {
        archive.join(&self.log_id).join(self.file())
    }

    pub(super) fn object(&self) -> String {
        format!("{FOLDER}/{}/{:020}{OBJECT_END}", self.log_id, self.first_position)
    }

    /// For a segment that cannot take the place of the one there. No segment is looked for under such a name.
    pub(super) fn conflicting_object(&self) -> String {
        format!("{FOLDER}/{}/{:020}~other{OBJECT_END}", self.log_id, self.first_position)
    }
}

/// Segments in the folder of an archive.
pub(super) fn here(archive: &Path) -> Result<Vec<SegmentName>, RemoteError> {
    let mut found = Vec::new();
    for log_id in names(archive)? {
        let folder = archive.join(&log_id);
        if !folder.symlink_metadata().map_err(at(&folder))?.is_dir() {
            continue;
        }
        for file in names(&folder)? {
            found.extend(file.strip_suffix(FILE_END).and_then(|digits| SegmentName::new(&log_id, digits)));
        }
    }
    found.sort();
    Ok(found)
}

fn names(folder: &Path) -> Result<Vec<String>, RemoteError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // Names that are no text are none of ours.
        names.extend(entry.map_err(at(folder))?.file_name().into_string());
    }
    Ok(names)
}
