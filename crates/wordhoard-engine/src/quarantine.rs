//! Where records go that cannot be applied: kept byte for byte, out of the way of those behind them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use wordhoard_wal::Record;

/// Keeps a record as a file of its own, durable when this returns. Doing it again changes nothing.
pub(crate) fn keep(dir: &Path, record: &Record) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let name = format!(
        "record-{:020}-kind{}-v{}.bin",
        record.position.0, record.kind, record.version
    );
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(dir.join(name))?;
    file.write_all(&record.payload)?;
    file.sync_all()?;
    fs::File::open(dir)?.sync_all()
}
