//! Where an archived log ends, although the archive has more of it: a restore to an earlier moment has left the rest
//! behind.

use std::fs;
use std::io;
use std::path::Path;

use wordhoard_wal::disk::rename_durably;

use crate::Error;
use crate::error::At;
use crate::files;

/// A file in the folder of an archived log, with a position.
const FILE: &str = "ends_at";

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
    if !folder.is_dir() || read(folder)?.is_some_and(|known| known <= position) {
        return Ok(());
    }
    let (path, aside) = (folder.join(FILE), folder.join("ends_at.tmp"));
    fs::write(&aside, format!("{position}\n")).at(&aside)?;
    rename_durably(&aside, &path).at(&path)
}
