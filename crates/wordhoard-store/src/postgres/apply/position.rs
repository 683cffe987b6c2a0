//! How far a log is applied.

use super::super::rows::count;
use super::super::session::Session;
use super::super::types::Log;
use crate::columns::signed;
use crate::{Error, LogKey};

pub(in super::super) const APPLIED: &str = "SELECT applied FROM wal_positions WHERE log_id = $1";
/// Before the lock, so that there is a row to lock.
pub(super) const KNOWN: &str =
    "INSERT INTO wal_positions (log_id, applied) VALUES ($1, 0) ON CONFLICT DO NOTHING";
/// An older transaction of ours may still be under way on the server, its connection long gone. Whoever comes after it
/// waits here until it has ended, and then sees what it has written.
pub(super) const LOCK: &str =
    "SELECT applied, retired_at IS NOT NULL, doubted_through FROM wal_positions WHERE log_id = $1 FOR UPDATE";
/// Never back.
pub(super) const ADVANCE: &str = "UPDATE wal_positions SET applied = $2 WHERE log_id = $1 AND applied < $2";
pub(super) const REWIND: &str = "UPDATE wal_positions SET applied = $2,
        doubted_through = (SELECT request_id FROM llm_requests ORDER BY request_id DESC LIMIT 1)
    WHERE log_id = $1 AND applied > $2";

pub(in super::super) async fn applied(session: &Session, log: LogKey) -> Result<u64, Error> {
    let rows = session.query(APPLIED, &[&Log(log)]).await?;
    rows.first().map_or(Ok(0), |row| count(row, 0))
}

pub(super) async fn rewind(session: &Session, log: LogKey, to: u64) -> Result<(), Error> {
    session.execute(REWIND, &[&Log(log), &signed(to)]).await?;
    Ok(())
}
