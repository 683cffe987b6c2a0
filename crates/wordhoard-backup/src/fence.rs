//! Where an archived log ends, although the archive has more of it: a restore to an earlier moment has left the rest
//! behind.

use std::fs;
use std::io;
use std::path::Path;

use wordhoard_wal::disk::replace_durably;

use crate::Error;
use crate::error::At;
use crate::files;

/// A file in the folder of an archived log, with the position at which it ends.
pub const FILE: &str = "ends_at";

/// The position at which the log in this folder ends, if it has a fence.
pub(crate) fn read(folder: &Path) -> Result<Option<u64>, Error> {
    let path = folder.join(FILE);
    match files::read_small(&path, 64) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => {
            let text = String::from_utf8_lossy(&bytes.at(&path)?).into_owned();
            text.trim().parse().map(Some).map_err(io::Error::other).at(&path)
        }
    }
}

/// Ends the log in this folder at a position, if it does not end before it. May be repeated.
pub(crate) fn write(folder: &Path, position: u64) -> Result<(), Error> {
    fs::create_dir_all(folder).at(folder)?;
    if read(folder)?.is_some_and(|known| known <= position) {
        return Ok(());
    }
    let path = folder.join(FILE);
    replace_durably(&path, format!("{position}\n").as_bytes()).at(&path)
}

/// The logs of an archive that have a fence, by their ids in hexadecimal.
///
/// # Errors
/// Where the archive cannot be read.
pub fn fenced_logs(archive: &Path) -> Result<Vec<String>, Error> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(archive).at(archive)? {
        let entry = entry.at(archive)?;
        if entry.path().join(FILE).is_file() {
            logs.extend(entry.file_name().into_string());
        }
    }
    Ok(logs)
}
