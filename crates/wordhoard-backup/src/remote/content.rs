//! What a file holds, told by its size and its SHA-256.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::at;
use super::{RemoteError, blocking};

const READ_BYTES: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl Content {
    /// Of the file at `path`.
    pub(super) async fn of(path: &Path) -> Result<Self, RemoteError> {
        let path = path.to_owned();
        blocking(move || Self::read(&path)).await
    }

    fn read(path: &Path) -> Result<Self, RemoteError> {
        let mut file = open(path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut size_bytes = 0;
        loop {
            let count = file.read(&mut buffer).map_err(at(path))?;
            if count == 0 {
                return Ok(Self { size_bytes, sha256: hex(digest) });
            }
            digest.update(&buffer[..count]);
            size_bytes += count as u64;
        }
    }
}

/// Opens a plain file. Anything else that has the name (a folder, a pipe that would be waited for) is an error.
pub(super) fn open(path: &Path) -> Result<File, RemoteError> {
    let about = std::fs::symlink_metadata(path).map_err(at(path))?;
    if !about.is_file() {
        return Err(at(path)(std::io::Error::other("it is not a plain file")));
    }
    File::open(path).map_err(at(path))
}

pub(super) fn hex(digest: Sha256) -> String {
    crate::files::hex(&digest.finalize())
}
