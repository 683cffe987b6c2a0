use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresStore;
use super::rows::{count, get, optional_text};
use super::session::Session;
use super::text::Written;
use super::types::{Log, Moment};
use crate::columns::unsigned;
use crate::{Departure, Error, Fleet, LogKey, Retirement, ServerProfile, ServerSeen};

/// The clock of the database, in whole milliseconds as all our times. Not `now()`, which stands still in a
/// transaction.
macro_rules! now {
    () => {
        "date_trunc('milliseconds', clock_timestamp())"
    };
}

pub(super) const BEAT: &str = concat!(
    "INSERT INTO servers (log_id, seen_at, address, host, version) VALUES ($1, ",
    now!(),
    ", $2, $3, $4)
    ON CONFLICT (log_id) DO UPDATE SET seen_at = excluded.seen_at, address = excluded.address, host = excluded.host,
        version = excluded.version, departure = NULL, departed_at = NULL"
);

pub(super) const DEPART: &str =
    concat!("UPDATE servers SET departure = $2, departed_at = ", now!(), " WHERE log_id = $1");

pub(super) const SERVERS: &str = "SELECT log_id,
        (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::bigint, address, host, version, departure,
        position.retired_at, position.retired_by, coalesce(running.requests, 0)
    FROM servers
    LEFT JOIN wal_positions AS position USING (log_id)
    LEFT JOIN (SELECT log_id, count(*) AS requests FROM llm_requests WHERE status = 'running' GROUP BY log_id) AS running
        USING (log_id)
    ORDER BY log_id";

/// A log of which nothing was ever applied has no row yet that could be marked.
const KNOWN: &str = "INSERT INTO wal_positions (log_id, applied)
    SELECT log_id, 0 FROM servers WHERE log_id = $1 ON CONFLICT DO NOTHING";
/// The row is the one that each transaction of this log locks: one that is under way is waited for, the next one sees the mark.
const RETIRE: &str = concat!(
    "UPDATE wal_positions SET retired_by = CASE WHEN retired_at IS NULL THEN $2 ELSE retired_by END,
        retired_at = coalesce(retired_at, ",
    now!(),
    ") WHERE log_id = $1 AND (retired_at IS NOT NULL OR EXISTS (SELECT FROM servers AS s WHERE s.log_id = $1
        AND s.departure IS DISTINCT FROM 'left' AND (s.departure IS NOT NULL OR s.seen_at <= clock_timestamp() - $3 * interval '1 millisecond')))"
);
const TAKE_ON: &str = "UPDATE wal_positions SET retired_by = $3
    WHERE log_id = $1 AND retired_at IS NOT NULL AND retired_by IS NOT DISTINCT FROM $2";
const RETIREMENT: &str =
    "SELECT retired_at, retired_by FROM wal_positions WHERE log_id = $1 AND retired_at IS NOT NULL";

#[cfg(test)]
pub(super) const ALL: [&str; 7] = [BEAT, DEPART, SERVERS, KNOWN, RETIRE, TAKE_ON, RETIREMENT];

#[async_trait]
impl Fleet for PostgresStore {
    async fn beat(&self, log: LogKey, profile: ServerProfile) -> Result<(), Error> {
        self.short(move |session| Box::pin(beat(session, log, profile))).await
    }

    async fn depart(&self, log: LogKey, departure: Departure) -> Result<(), Error> {
        self.short(move |session| {
            Box::pin(async move {
                session.execute(DEPART, &[&Log(log), &departure.as_str()]).await?;
                Ok(())
            })
        })
        .await
    }

    async fn servers(&self) -> Result<Vec<ServerSeen>, Error> {
        self.short(|session| {
            Box::pin(async move { session.query(SERVERS, &[]).await?.iter().map(server).collect() })
        })
        .await
    }

    async fn retire(&self, log: LogKey, by: Option<LogKey>, silent_for: Duration) -> Result<bool, Error> {
        self.short(move |session| {
            Box::pin(async move {
                session.execute(KNOWN, &[&Log(log)]).await?;
                let silent_ms = silent_for.as_millis() as f64;
                Ok(session.execute(RETIRE, &[&Log(log), &by.map(Log), &silent_ms]).await? > 0)
            })
        })
        .await
    }

    async fn take_on_retired(&self, log: LogKey, from: Option<LogKey>, by: LogKey) -> Result<bool, Error> {
        self.short(move |session| {
            Box::pin(async move {
                Ok(session.execute(TAKE_ON, &[&Log(log), &from.map(Log), &Log(by)]).await? > 0)
            })
        })
        .await
    }

    async fn retirement(&self, log: LogKey) -> Result<Option<Retirement>, Error> {
        self.short(move |session| {
            Box::pin(async move {
                let rows = session.query(RETIREMENT, &[&Log(log)]).await?;
                rows.first().map_or(Ok(None), |row| retirement(row, 0))
            })
        })
        .await
    }
}

async fn beat(session: &Session, log: LogKey, profile: ServerProfile) -> Result<(), Error> {
    let ServerProfile { address, host, version } = &profile;
    let (address, host, version) = (Written(address), Written(host), Written(version));
    session.execute(BEAT, &[&Log(log), &address, &host, &version]).await?;
    Ok(())
}

fn server(row: &Row) -> Result<ServerSeen, Error> {
    let Log(log) = get(row, 0)?;
    let said = |column| Ok::<_, Error>(optional_text(row, column)?.unwrap_or_default());
    let departure = optional_text(row, 5)?;
    Ok(ServerSeen {
        log,
        silent_for: Duration::from_millis(unsigned(get(row, 1)?)),
        profile: ServerProfile { address: said(2)?, host: said(3)?, version: said(4)? },
        departure: departure.as_deref().map(Departure::from_name).transpose()?,
        retirement: retirement(row, 6)?,
        open_requests: count(row, 8)?,
    })
}

fn retirement(row: &Row, first: usize) -> Result<Option<Retirement>, Error> {
    let (at, by) = (get::<Option<Moment>>(row, first)?, get::<Option<Log>>(row, first + 1)?);
    Ok(at.map(|at| Retirement { at: at.timestamp(), by: by.map(|Log(by)| by) }))
}
