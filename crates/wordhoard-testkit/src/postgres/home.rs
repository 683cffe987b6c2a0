use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::janitor::Janitor;
use crate::small_disk;

/// The folder of a cluster: `data`, `wal`, the log and the socket. The janitor removes it.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    on_tmpfs: bool,
    _janitor: Janitor,
}

impl Home {
    /// A folder of the account's, with an empty data directory; where `tmpfs_bytes` is given, on a file system of its
    /// own of that size.
    pub(super) fn make(account: Account, tmpfs_bytes: Option<u64>) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("wordhoard-postgres-").tempdir()?;
        let path = fs::canonicalize(dir.path())?;
        let janitor = Janitor::watch(&path)?;
        let home = Self { dir: path, on_tmpfs: tmpfs_bytes.is_some(), _janitor: janitor };
        drop(dir.keep());
        fs::create_dir(home.data_dir())?;
        if let Some(size_bytes) = tmpfs_bytes {
            small_disk::mount(&home.data_dir(), size_bytes)?;
        }
        account.own(&home.dir)?;
        account.own(&home.data_dir())?;
        Ok(home)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Outside the data directory, so that a full tmpfs refuses rows for as long as it is full: PostgreSQL does not
    /// survive a log that cannot be written.
    pub(super) fn wal_dir(&self) -> PathBuf {
        self.dir.join("wal")
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// Takes all the space that is left.
    pub(super) fn fill(&self) -> io::Result<()> {
        if !self.on_tmpfs {
            return Err(io::Error::other("only a cluster built with `data_on_tmpfs` has a disk of its own"));
        }
        small_disk::fill(&self.data_dir())
    }

    /// Gives it back.
    pub(super) fn free(&self) -> io::Result<()> {
        small_disk::free(&self.data_dir())
    }
}
