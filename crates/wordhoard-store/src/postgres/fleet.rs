use std::time::Duration;

use super::rows::get;
use super::session::Session;
use super::types::Log;
use crate::columns::unsigned;
use crate::{Error, LogKey, ServerSeen};

/// The clock of the database, in whole milliseconds as all our times. Not `now()`, which stands still in a
/// transaction.
pub(super) const BEAT: &str = "INSERT INTO servers (log_id, seen_at)
    VALUES ($1, date_trunc('milliseconds', clock_timestamp()))
    ON CONFLICT (log_id) DO UPDATE SET seen_at = excluded.seen_at";

pub(super) const SERVERS: &str = "SELECT log_id,
        (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::bigint
    FROM servers ORDER BY log_id";

pub(super) async fn beat(session: &Session, log: LogKey) -> Result<(), Error> {
    session.execute(BEAT, &[&Log(log)]).await?;
    Ok(())
}

pub(super) async fn servers(session: &Session) -> Result<Vec<ServerSeen>, Error> {
    let rows = session.query(SERVERS, &[]).await?;
    let server = |row| {
        let Log(log) = get(row, 0)?;
        Ok(ServerSeen { log, silent_for: Duration::from_millis(unsigned(get(row, 1)?)) })
    };
    rows.iter().map(server).collect()
}
