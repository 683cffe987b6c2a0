//! Backups in the store: `backups/NAME/FILE`. The manifest goes there last and comes back last, so that what has one
//! is whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::content::Content;
use super::download::place;
use super::error::at;
use super::name::check_part;
use super::{Remote, RemoteError, RemoteObject};

const FOLDER: &str = "backups";
/// The file without which a folder is no backup.
const MANIFEST: &str = "manifest.json";
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// What the folder of a backup is called that is not whole, before its name.
const FETCHING: &str = ".fetching-";

/// A backup in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBackup {
    /// Its name.
    pub name: String,
    /// Of all its files.
    pub size_bytes: u64,
    /// When it was whole there.
    pub modified: SystemTime,
}

/// What it took to bring a backup there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupPushed {
    /// Files that had to be sent.
    pub files_sent: usize,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Files that were there already.
    pub files_kept: usize,
}

impl Remote {
    /// Brings the backup in `folder` there, under the folder's name. May be repeated after it was interrupted: what is
    /// there is not sent again.
    ///
    /// # Errors
    /// Where the folder is no backup, a backup of that name with other content is there, or the store does not take it.
    pub async fn push_backup(&self, folder: &Path) -> Result<BackupPushed, RemoteError> {
        let name = file_name(folder)?;
        let files = files_of(folder)?;
        let manifest_path = folder.join(MANIFEST);
        let manifest = fs::read(&manifest_path).map_err(at(&manifest_path))?;
        let manifest_name = object(&name, MANIFEST);
        if let Some(there) = self.head(&manifest_name).await? {
            if !there.holds(&Content::of(&manifest_path).await?) {
                return Err(RemoteError::AlreadyExists { name: manifest_name });
            }
            self.check_against(folder, &name, &files).await?;
        }
        let mut pushed = BackupPushed::default();
        for file in &files {
            let stored = self.put_file(&folder.join(file), &object(&name, file)).await?;
            pushed.count(stored.moved, stored.size_bytes);
        }
        let stored = self.put_new(manifest, &manifest_name).await?;
        pushed.count(stored.moved, stored.size_bytes);
        Ok(pushed)
    }

    /// Backups that are whole there, newest first.
    ///
    /// # Errors
    /// Where the store does not give its list.
    pub async fn backups(&self) -> Result<Vec<RemoteBackup>, RemoteError> {
        let mut found: BTreeMap<String, (u64, Option<SystemTime>)> = BTreeMap::new();
        for object in self.list(FOLDER).await? {
            let Some((name, file)) = parts(&object) else { continue };
            let (size_bytes, whole_since) = found.entry(name.to_owned()).or_default();
            *size_bytes = size_bytes.saturating_add(object.size_bytes);
            if file == MANIFEST {
                *whole_since = Some(object.modified);
            }
        }
        let whole = found.into_iter().rev().filter_map(|(name, (size_bytes, whole_since))| {
            whole_since.map(|modified| RemoteBackup { name, size_bytes, modified })
        });
        Ok(whole.collect())
    }

    /// The manifest of a backup there, so that it can be judged before all the rest is fetched.
    ///
    /// # Errors
    /// Where there is no such backup, or the store does not give it.
    pub async fn backup_manifest(&self, name: &str) -> Result<Vec<u8>, RemoteError> {
        check_part(name)?;
        self.get_bytes(&object(name, MANIFEST), MAX_MANIFEST_BYTES).await
    }

    /// Brings a backup here, as a folder of its name in `into`, if its files have at most `max_bytes` together. Until it
    /// is whole and durable the folder has another name, which begins with a dot; a later call goes on from there.
    ///
    /// # Errors
    /// Where there is no such backup there, there is one here already, or it does not arrive.
    pub async fn pull_backup(&self, name: &str, into: &Path, max_bytes: u64) -> Result<PathBuf, RemoteError> {
        check_part(name)?;
        let target = into.join(name);
        if target.symlink_metadata().is_ok() {
            return Err(at(&target)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let objects = self.list(&format!("{FOLDER}/{name}")).await?;
        let mut files: Vec<_> =
            objects.iter().filter_map(|object| Some((parts(object)?.1, object.size_bytes))).collect();
        if !files.iter().any(|(file, _)| *file == MANIFEST) {
            return Err(RemoteError::NotFound { name: object(name, MANIFEST) });
        }
        if files.iter().fold(0, |sum: u64, (_, size_bytes)| sum.saturating_add(*size_bytes)) > max_bytes {
            return Err(RemoteError::TooLarge { name: name.to_owned() });
        }
        files.sort_by_key(|(file, _)| *file == MANIFEST);
        let folder = into.join(format!("{FETCHING}{name}"));
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let wanted: Vec<_> = files.iter().map(|(file, _)| *file).collect();
        remove_others(&folder, &wanted)?;
        for (file, size_bytes) in files {
            self.fetch(&object(name, file), &folder.join(file), size_bytes).await?;
        }
        place(folder, target.clone()).await?;
        Ok(target)
    }

    /// Removes a backup there, its manifest first, so that what is left is none.
    ///
    /// # Errors
    /// Where the store does not say that all of it is gone.
    pub async fn remove_backup(&self, name: &str) -> Result<(), RemoteError> {
        check_part(name)?;
        self.delete(&object(name, MANIFEST)).await?;
        for object in self.list(&format!("{FOLDER}/{name}")).await? {
            self.delete(&object.name).await?;
        }
        Ok(())
    }

    /// A backup that is whole there is never changed: a file that differs has been damaged, there or here.
    async fn check_against(&self, folder: &Path, name: &str, files: &[String]) -> Result<(), RemoteError> {
        for file in files {
            let there = self.head(&object(name, file)).await?;
            if let Some(there) = there
                && !there.holds(&Content::of(&folder.join(file)).await?)
            {
                let name = object(name, file);
                return Err(RemoteError::Mismatch { name, what: "it differs from the file here" });
            }
        }
        Ok(())
    }

    async fn fetch(&self, name: &str, to: &Path, max_bytes: u64) -> Result<(), RemoteError> {
        if to.is_file() {
            let here = Content::of(to).await?;
            if self.head(name).await?.is_some_and(|there| there.holds(&here)) {
                return Ok(());
            }
        }
        self.get_file(name, to, max_bytes).await.map(drop)
    }
}

impl BackupPushed {
    fn count(&mut self, moved: bool, size_bytes: u64) {
        if moved {
            self.files_sent += 1;
            self.bytes_sent += size_bytes;
        } else {
            self.files_kept += 1;
        }
    }
}

fn object(name: &str, file: &str) -> String {
    format!("{FOLDER}/{name}/{file}")
}

/// The backup and the file that an object belongs to.
fn parts(object: &RemoteObject) -> Option<(&str, &str)> {
    let (name, file) = object.name.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    (!file.contains('/')).then_some((name, file))
}

fn file_name(path: &Path) -> Result<String, RemoteError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    check_part(&name)?;
    Ok(name)
}

/// The files of a backup but for its manifest. It has nothing but plain files.
fn files_of(folder: &Path) -> Result<Vec<String>, RemoteError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if !path.symlink_metadata().map_err(at(&path))?.is_file() {
            return Err(at(&path)(std::io::Error::other("it is not a plain file")));
        }
        files.push(file_name(&path)?);
    }
    files.retain(|file| file != MANIFEST);
    files.sort();
    Ok(files)
}

/// What an earlier try left that is not part of the backup.
fn remove_others(folder: &Path, wanted: &[&str]) -> Result<(), RemoteError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if !path.file_name().is_some_and(|name| wanted.iter().any(|file| name == *file)) {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}
