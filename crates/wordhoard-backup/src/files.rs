//! Reading files that somebody else may have put there, and writing ones that survive.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wordhoard_wal::disk::sync_directory;

use crate::Error;
use crate::error::At;

const STEP_BYTES: usize = 1 << 20;

/// Opens a file that must be a plain one. A link is not followed, and a pipe does not hang.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

/// The bytes of a small file; one that is longer is refused.
pub(crate) fn read_small(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes { Err(io::Error::other("it is too long")) } else { Ok(bytes) }
}

/// Size and SHA-256 of what is read.
pub(crate) fn digest(mut from: impl Read) -> io::Result<(u64, String)> {
    let (mut sha256, mut size_bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((size_bytes, hex(&sha256.finalize()))),
            Ok(count) => {
                sha256.update(&buffer[..count]);
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A new file, synced together with its folder.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))
    };
    write().at(path)
}

/// Makes a folder with its parents that only its owner can look into.
pub(crate) fn make_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).at(dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_directory(parent).at(parent)
}

/// Refuses where less than so many bytes can still be written under this folder.
pub(crate) fn ensure_space(dir: &Path, needed_bytes: u64) -> Result<(), Error> {
    let status = rustix::fs::statvfs(dir).map_err(io::Error::from).at(dir)?;
    let free_bytes = status.f_bavail.saturating_mul(status.f_frsize);
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    Err(Error::NoSpace { path: dir.to_owned(), free_bytes, needed_bytes })
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
