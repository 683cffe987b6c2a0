//! All that touches files. A file or name survives a power loss only after the fsync that belongs to it, so the
//! operations that create, rename and remove stand together here, and nothing else in the project renames.

use std::{fmt, io, sync::Arc};

#[cfg(feature = "fault-disk")]
mod fault;
mod os;

#[cfg(feature = "fault-disk")]
pub use fault::{FaultDisk, FaultPoint, Loss};
pub use os::{OsDisk, rename_durably, replace_durably, sync_directory};

/// One directory of files, as the log uses it. Names are plain file names.
///
/// Creating, renaming and removing are durable only after [`sync_directory`](Disk::sync_directory).
pub trait Disk: fmt::Debug + Send + Sync {
    /// Names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading.
    fn open_read(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a new empty file; one of that name is unlinked first, never truncated.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file a new name, in place of any file that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Unlinks a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the directory's entries durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// Copies a file to `quarantine/{copy}`, durably. A copy of that name is kept as it is.
    fn quarantine(&self, name: &str, copy: &str) -> io::Result<()>;
    /// Bytes that can still be written.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file. Reads and writes take their place in the file, so one handle serves several threads.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads at `offset`; fewer bytes than asked for, or none, at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`; past the end the file grows.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the contents durable, and the size if it changed (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Size now.
    fn size_bytes(&self) -> io::Result<u64>;
    /// Drops cached pages, so that the next read shows what the device holds and not what the kernel remembers
    /// after a failed fsync. An optimisation barrier only: it may do nothing.
    fn forget_cached(&self) {}
}

/// Reads until `buffer` is full or the file ends; gives the number of bytes read.
pub(crate) fn read_full(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes real zeros over `from..to`. `fallocate` would be faster, but leaves extents that the first write has to
/// convert, which puts a journal commit into every fdatasync of the hot path.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    let mut at = from;
    while at < to {
        let count = (to - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..count as usize], at)?;
        at += count;
    }
    Ok(())
}
