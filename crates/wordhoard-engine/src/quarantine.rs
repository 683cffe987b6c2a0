//! Where records go that cannot be applied: kept byte for byte, out of the way of those behind them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use wordhoard_wal::{LogId, Record};

/// Keeps a record as a file of its own, durable when this returns. Doing it again changes nothing.
pub(crate) fn keep(dir: &Path, log_id: LogId, record: &Record) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let name = format!("{log_id}-{:020}-kind{}-v{}.bin", record.position.0, record.kind, record.version);
    let path = dir.join(name);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            file.write_all(&record.payload)?;
            file.sync_all()?;
        }
        // Kept before a crash; a part of it if the crash came in the middle.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read(&path)? != record.payload {
                let mut file = OpenOptions::new().write(true).truncate(true).open(&path)?;
                file.write_all(&record.payload)?;
                file.sync_all()?;
            }
        }
        Err(error) => return Err(error),
    }
    fs::File::open(dir)?.sync_all()
}
