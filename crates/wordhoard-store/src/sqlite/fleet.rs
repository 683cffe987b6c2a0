use std::time::Duration;

use rusqlite::{Connection, Transaction};

use super::rows::unsigned;
use crate::{Error, LogKey, ServerSeen};

/// The clock of the database, which is the clock of this machine, in milliseconds since 1970 UTC.
const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";

pub(super) fn beat(connection: &Connection, log: LogKey) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO servers (log_id, seen_at) VALUES (?1, {NOW})
         ON CONFLICT (log_id) DO UPDATE SET seen_at = excluded.seen_at"
    );
    connection.prepare_cached(&sql)?.execute([log.0])?;
    Ok(())
}

pub(super) fn servers(snapshot: &Transaction<'_>) -> Result<Vec<ServerSeen>, Error> {
    let sql = format!("SELECT log_id, {NOW} - seen_at FROM servers ORDER BY log_id");
    let mut statement = snapshot.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(ServerSeen { log: LogKey(row.get(0)?), silent_for: Duration::from_millis(unsigned(row.get(1)?)) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
