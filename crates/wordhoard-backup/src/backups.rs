//! The folder of backups: each is a folder of its own that appears whole or not at all.

mod making;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub use making::{Making, Phase};
use wordhoard_model::Timestamp;
use wordhoard_wal::disk::{rename_durably, sync_directory};

use crate::error::At;
use crate::{BackupKey, BackupName, Error, Manifest, files};

/// The file that says what a backup is, and the one with its code.
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MANIFEST_CODE: &str = "manifest.hmac";
/// What the names of folders that are no backups begin with: those in the making, and those being removed.
const UNFINISHED: &str = ".unfinished-";
/// The longest manifest.
const MANIFEST_BYTES: u64 = 1 << 20;

/// A folder of backups.
#[derive(Clone, Debug)]
pub struct Backups {
    dir: PathBuf,
    key: BackupKey,
}

/// A backup as a list shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: BackupName,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// Its manifest, if that is ours and all its files are there in their sizes. Their content was verified when the
    /// backup was made, and is again before a restore.
    pub manifest: Result<Manifest, String>,
}

impl Backups {
    /// The backups in this folder, which need not be there yet.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, key: BackupKey) -> Self {
        Self { dir: dir.into(), key }
    }

    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, name: &BackupName) -> PathBuf {
        self.dir.join(name.as_str())
    }

    /// All backups, newest first.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at(&self.dir)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.at(&self.dir)?;
            if entry.file_type().at(&entry.path())?.is_dir() {
                names.extend(entry.file_name().to_str().and_then(|name| name.parse::<BackupName>().ok()));
            }
        }
        names.sort_by(|one, other| other.as_str().cmp(one.as_str()));
        Ok(names.into_iter().map(|name| self.listed(name)).collect())
    }

    fn listed(&self, name: BackupName) -> Listed {
        let files = fs::read_dir(self.path(&name)).into_iter().flatten().flatten();
        let size_bytes = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        let manifest = self.open(&name).map_err(|error| match error {
            Error::NotTrusted { problem, .. } => problem,
            other => other.to_string(),
        });
        Listed { name, size_bytes, manifest }
    }

    /// The manifest of a backup, once it is known to be ours and the files are there in their sizes.
    ///
    /// # Errors
    /// Where there is no such backup, or it is not what was made.
    pub fn open(&self, name: &BackupName) -> Result<Manifest, Error> {
        self.open_at(&self.path(name), name)
    }

    fn open_at(&self, dir: &Path, name: &BackupName) -> Result<Manifest, Error> {
        // Not through a link: what lies elsewhere is none of ours.
        let is_folder = fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir());
        if !is_folder {
            return Err(Error::NoSuchBackup(name.to_string()));
        }
        let not_trusted = |problem: String| Error::NotTrusted { name: name.to_string(), problem };
        let read = |file: &str| {
            let bytes = files::read_small(&dir.join(file), MANIFEST_BYTES);
            bytes.map_err(|error| not_trusted(format!("{file}: {error}")))
        };
        let (bytes, code) = (read(MANIFEST)?, read(MANIFEST_CODE)?);
        let code = String::from_utf8_lossy(&code);
        if !self.key.is_signature(&bytes, code.trim()) {
            let problem = "its manifest was not written with the key of these backups, or altered since";
            return Err(not_trusted(problem.to_owned()));
        }
        let manifest = Manifest::parse(&bytes, name).map_err(not_trusted)?;
        for file in &manifest.files {
            let size = files::open_plain(&dir.join(&file.name)).and_then(|file| file.metadata());
            let size = size.map_err(|error| not_trusted(format!("{}: {error}", file.name)))?.len();
            if size != file.size_bytes {
                let problem = format!("{} has {size} bytes and should have {}", file.name, file.size_bytes);
                return Err(not_trusted(problem));
            }
        }
        Ok(manifest)
    }

    /// The same, and every byte of its files is compared with the manifest. Blocks for as long as that takes.
    ///
    /// # Errors
    /// As [`Backups::open`].
    pub fn verify(&self, name: &BackupName) -> Result<Manifest, Error> {
        self.verify_at(&self.path(name), name)
    }

    pub(crate) fn verify_at(&self, dir: &Path, name: &BackupName) -> Result<Manifest, Error> {
        let manifest = self.open_at(dir, name)?;
        for file in &manifest.files {
            let not_trusted = |problem: String| Error::NotTrusted { name: name.to_string(), problem };
            let opened = files::open_plain(&dir.join(&file.name));
            let found = opened.and_then(files::digest).map_err(|error| not_trusted(error.to_string()))?;
            if found != (file.size_bytes, file.sha256.clone()) {
                return Err(not_trusted(format!("the content of {} is not what was written", file.name)));
            }
        }
        Ok(manifest)
    }

    /// Removes the backups from before `before`, but never the newest good one, and none that is not ours. Gives the
    /// names of those that went.
    ///
    /// # Errors
    /// Where one cannot be removed.
    pub fn expire(&self, before: Timestamp) -> Result<Vec<BackupName>, Error> {
        let good =
            self.list()?.into_iter().filter(|listed| listed.manifest.is_ok()).map(|listed| listed.name);
        let old: Vec<_> = good.skip(1).filter(|name| name.begun_at() < before).collect();
        for name in &old {
            let aside = self.dir.join(format!("{UNFINISHED}{name}"));
            rename_durably(&self.path(name), &aside).at(&aside)?;
            fs::remove_dir_all(&aside).at(&aside)?;
        }
        Ok(old)
    }

    /// Removes what a crash left in the making. Only for whoever is the only one to make backups here.
    pub(crate) fn remove_unfinished(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.dir).at(&self.dir)? {
            let entry = entry.at(&self.dir)?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).at(&entry.path())?;
            }
        }
        sync_directory(&self.dir).at(&self.dir)
    }

    /// For each log, the oldest position from which any backup here would be brought forward: what its archive has below
    /// that is not needed for them. Backups that cannot be trusted count, too: the key may be another one just now.
    ///
    /// # Errors
    /// Where one of them cannot be read; then nothing is known.
    pub fn floors(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut floors: Option<BTreeMap<String, u64>> = None;
        for listed in self.list()? {
            let path = self.path(&listed.name).join(MANIFEST);
            let bytes = files::read_small(&path, MANIFEST_BYTES).at(&path)?;
            let manifest: Manifest =
                serde_json::from_slice(&bytes).map_err(std::io::Error::other).at(&path)?;
            floors = Some(match floors {
                None => manifest.positions,
                // A log that one of them does not know began after it, and is needed whole.
                Some(known) => known
                    .into_iter()
                    .filter_map(|(log, floor)| {
                        Some((manifest.positions.get(&log)?.min(&floor).to_owned(), log))
                    })
                    .map(|(floor, log)| (log, floor))
                    .collect(),
            });
        }
        Ok(floors.unwrap_or_default())
    }
}
