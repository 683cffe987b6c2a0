use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::janitor::Janitor;

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
            mount_tmpfs(&home.data_dir(), size_bytes)?;
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
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        // The last page goes by small steps: a long write that does not fit whole is cut short first.
        for step in [vec![0; 1 << 20], vec![0; 4096]] {
            match std::iter::repeat_with(|| ballast.write_all(&step)).find_map(Result::err) {
                Some(error) if error.kind() == ErrorKind::StorageFull => {}
                Some(error) => return Err(error),
                None => {}
            }
        }
        Ok(())
    }

    /// Gives it back.
    pub(super) fn free(&self) -> io::Result<()> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn ballast(&self) -> PathBuf {
        self.data_dir().join("ballast")
    }
}

fn mount_tmpfs(at: &Path, size_bytes: u64) -> io::Result<()> {
    let options = format!("size={size_bytes},mode=0700");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output()?;
    if mounted.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&mounted.stderr);
    Err(io::Error::other(format!("`data_on_tmpfs` needs the right to mount (be root): {}", said.trim())))
}
