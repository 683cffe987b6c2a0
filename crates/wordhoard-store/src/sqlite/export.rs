//! Copies the file with SQLite's online backup API, from one snapshot while others write.

use std::fs::File;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction};

use super::rows::unsigned;
use crate::export::Census;
use crate::{Error, LogKey};

/// Pages of one step, after which progress is told.
const STEP_PAGES: i32 = 2_048;

pub(super) fn census(snapshot: &Transaction<'_>) -> Result<Census, Error> {
    let number =
        |sql: &str| -> Result<u64, Error> { Ok(unsigned(snapshot.query_row(sql, [], |row| row.get(0))?)) };
    let version = snapshot.query_row("SELECT max(version) FROM schema_migrations", [], |row| row.get(0))?;
    let mut statement = snapshot.prepare("SELECT log_id, applied FROM wal_positions ORDER BY log_id")?;
    let positions = statement.query_map([], |row| Ok((LogKey(row.get(0)?), unsigned(row.get(1)?))))?;
    Ok(Census {
        schema_version: version,
        requests: number("SELECT count(*) FROM llm_requests")?,
        attempts: number("SELECT count(*) FROM llm_attempts")?,
        tokens: number("SELECT coalesce(sum(token_count), 0) FROM llm_token_runs")?,
        positions: positions.collect::<Result<_, _>>()?,
    })
}

/// Blocks for as long as it takes. Whoever writes goes on.
pub(super) fn export(path: &Path, to: &Path, progress: &dyn Fn(u64, Option<u64>)) -> Result<Census, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags)?;
    // The copy comes from the snapshot that this opens. Without it the copying would begin anew with each transaction
    // of the writer.
    source.execute_batch("BEGIN; SELECT 1 FROM schema_migrations LIMIT 1")?;
    let mut target = Connection::open(to)?;
    copy(&source, &mut target, progress)?;
    // As one file that can be moved by itself, whoever opens it next.
    target.pragma_update(None, "journal_mode", "delete")?;
    let verdict: String = target.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Error::Damaged(format!("the copy does not pass SQLite's check: {verdict}")));
    }
    let snapshot = target.transaction()?;
    let census = census(&snapshot)?;
    snapshot.finish()?;
    target.close().map_err(|(_, error)| error)?;
    sync(to)?;
    Ok(census)
}

fn copy(
    source: &Connection,
    target: &mut Connection,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<(), Error> {
    let page_bytes: u32 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let backup = Backup::new(source, target)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let pages = backup.progress();
        let bytes = |pages: i32| u64::from(u32::try_from(pages).unwrap_or(0)) * u64::from(page_bytes);
        progress(bytes(pages.pagecount - pages.remaining), Some(bytes(pages.pagecount)));
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => return Err(Error::Unavailable("the database file is locked by another program".into())),
        }
    }
}

fn sync(file: &Path) -> Result<(), Error> {
    let synced = File::open(file).and_then(|file| file.sync_all());
    synced.map_err(|error| Error::Unavailable(format!("the copy cannot be synced: {error}")))
}
