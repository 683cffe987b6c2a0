//! A file system of its own, small enough to be filled. Needs root.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const BALLAST: &str = "ballast";

/// A tmpfs on a folder. Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of that size on an empty folder.
    ///
    /// # Errors
    /// Where the right to mount is missing.
    pub fn mount(at: &Path, size_bytes: u64) -> io::Result<Self> {
        mount(at, size_bytes)?;
        Ok(Self(at.to_owned()))
    }

    /// Takes all the space that is left.
    ///
    /// # Errors
    /// Where that fails for another reason than a full disk.
    pub fn fill(&self) -> io::Result<()> {
        fill(&self.0)
    }

    /// Gives it back.
    ///
    /// # Errors
    /// Where it cannot be given back.
    pub fn free(&self) -> io::Result<()> {
        free(&self.0)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has files open there keeps them; nobody else finds them.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

pub(crate) fn mount(at: &Path, size_bytes: u64) -> io::Result<()> {
    let options = format!("size={size_bytes},mode=0700");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output()?;
    if mounted.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&mounted.stderr);
    Err(io::Error::other(format!("a small disk needs the right to mount (be root): {}", said.trim())))
}

pub(crate) fn fill(dir: &Path) -> io::Result<()> {
    let mut ballast = File::options().create(true).append(true).open(dir.join(BALLAST))?;
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

pub(crate) fn free(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(BALLAST)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
