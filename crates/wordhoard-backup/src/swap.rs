//! Putting a restored database in the place of the one that is used. What shall be done is on disk before it is begun,
//! and each step can be repeated, so that whoever is killed in the middle has the old state or, after the next start,
//! the new one; never a mix.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wordhoard_store::{LogKey, PostgresPlace};
use wordhoard_wal::disk::{rename_durably, replace_durably};

use crate::Error;
use crate::error::At;
use crate::fence;
use crate::files;
use crate::manifest::log_key;

/// The folder within the data directory that says which restore is to be put in place, and which was last.
pub const RESTORE_DIR: &str = "restore";
/// What is to be done at the next start.
const PENDING: &str = "pending.json";
/// What was done last.
const LAST: &str = "last.json";
const PENDING_BYTES: u64 = 1 << 20;
/// What the name of a file ends in that is being built, before the id of its restore.
pub(crate) const STAGED_SUFFIX: &str = ".restore-";
/// What belongs to a SQLite database besides its file.
const SQLITE_COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A restored database that waits to be put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The id of the restore.
    pub id: String,
    /// The backup that it comes from.
    pub backup: String,
    /// When it was prepared.
    pub prepared_at: String,
    /// The moment that was asked for, if one was.
    pub to: Option<String>,
    /// Whether anything later than that moment was there. If not, the archive may have ended before it.
    pub reached_to: Option<bool>,
    /// The time of the newest event in it that came from the archive.
    pub last_event_at: Option<String>,
    /// Events that were replayed behind the backup.
    pub replayed_events: u64,
    /// Records that were nowhere and were passed over, because that was accepted.
    pub missing_records: u64,
    /// Where the restored database is.
    pub staged: Staged,
    /// Whether the log is set aside, because it holds what came after the moment that was asked for.
    pub sets_log_aside: bool,
    /// Positions, by the id of the log, at which logs end from now on: what the archive has behind them came after the
    /// moment that was asked for, and no later restore may take it in.
    pub fences: BTreeMap<String, u64>,
    /// The logs whose open requests are this data directory's to end, by their ids in hexadecimal.
    pub logs: Vec<String>,
}

/// Where a restored database is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Staged {
    /// A file.
    Sqlite {
        /// Its name, beside the database.
        file: String,
        /// Its inode.
        inode: u64,
    },
    /// A database of the same server.
    Postgres {
        /// Its name.
        database: String,
        /// The name that the replaced one gets.
        aside: String,
        /// The mark by which it is known.
        mark: String,
    },
}

/// Where a restored database goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// This file.
    Sqlite(PathBuf),
    /// The database of this URL.
    Postgres(String),
}

impl Pending {
    /// The restore that was prepared and is not in place yet.
    ///
    /// # Errors
    /// Where it cannot be read. It must be known before the database is used.
    pub fn read(data_dir: &Path) -> Result<Option<Self>, Error> {
        read(&data_dir.join(RESTORE_DIR).join(PENDING))
    }

    /// The restore that was put in place last.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn last(data_dir: &Path) -> Result<Option<Self>, Error> {
        read(&data_dir.join(RESTORE_DIR).join(LAST))
    }

    /// Decides for the new state: from now on the next start puts it in place.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), Error> {
        let path = data_dir.join(RESTORE_DIR).join(PENDING);
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other).at(&path)?;
        replace_durably(&path, &text).at(&path)
    }

    /// The logs that are noted as former ones.
    #[must_use]
    pub fn former_logs(&self) -> Vec<LogKey> {
        self.logs.iter().filter_map(|log| log_key(log)).collect()
    }

    /// Puts the restored database in place. Nobody else may use the data directory, and nobody of this process the
    /// database. `note_logs` makes the former logs known, durably. May be repeated after a crash or an error at any point.
    ///
    /// # Errors
    /// What could not be done. Until it is, the database must not be used.
    pub async fn finish(
        &self,
        data_dir: &Path,
        log_dir: &Path,
        archive_dir: Option<&Path>,
        target: &Target,
        note_logs: impl FnOnce(&[LogKey]) -> io::Result<()>,
    ) -> Result<(), Error> {
        match (&self.staged, target) {
            (Staged::Sqlite { inode, .. }, Target::Sqlite(database)) => {
                self.replace_file(database, *inode)?;
            }
            (Staged::Postgres { database, aside, mark }, Target::Postgres(url)) => {
                PostgresPlace::new(url)?.swap(database, aside, mark).await?;
            }
            (_, _) => {
                let problem = "a restore of another kind of database than the configured one was prepared";
                return Err(Error::OutOfReach(problem.to_owned()));
            }
        }
        if let Some(archive) = archive_dir {
            for (log, position) in &self.fences {
                fence::write(&archive.join(log), *position)?;
            }
        }
        // Only now: with the old database still in place its log would be missed.
        if self.sets_log_aside {
            move_away(log_dir, &self.aside_of(log_dir))?;
        }
        note_logs(&self.former_logs()).at(data_dir)?;
        let dir = data_dir.join(RESTORE_DIR);
        rename_durably(&dir.join(PENDING), &dir.join(LAST)).at(&dir)?;
        tracing::warn!(backup = self.backup, to = self.to, "a restored database is in place");
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<Pending>, Error> {
    match files::read_small(path, PENDING_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => serde_json::from_slice(&bytes.at(path)?).map(Some).map_err(io::Error::other).at(path),
    }
}

impl Pending {
    /// The file that was built is known by its inode, which it keeps when it is renamed.
    fn replace_file(&self, database: &Path, inode: u64) -> Result<(), Error> {
        let is_it = |path: &Path| match fs::symlink_metadata(path) {
            Ok(found) => Ok(found.ino() == inode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).at(path),
        };
        if is_it(database)? {
            return Ok(());
        }
        let staged = staged_file(database, &self.id);
        if !is_it(&staged)? {
            return Err(io::Error::from(io::ErrorKind::NotFound)).at(&staged);
        }
        let aside = self.aside_of(database);
        for suffix in SQLITE_COMPANIONS.into_iter().chain([""]) {
            // A companion that stayed behind would be taken for the new database's.
            move_away(&with_suffix(database, suffix), &with_suffix(&aside, suffix))?;
        }
        rename_durably(&staged, database).at(database)
    }

    /// Where what is replaced is kept: beside it, since another folder may be on another disk.
    fn aside_of(&self, path: &Path) -> PathBuf {
        with_suffix(path, &format!(".before-{}", self.id))
    }
}

/// Where a file is built that will replace the database.
pub(crate) fn staged_file(database: &Path, id: &str) -> PathBuf {
    with_suffix(database, &format!("{STAGED_SUFFIX}{id}"))
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Renames a file or folder, if it is there and was not renamed before.
fn move_away(path: &Path, to: &Path) -> Result<(), Error> {
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    if is_there(path) && !is_there(to) { rename_durably(path, to).at(path) } else { Ok(()) }
}
