use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use wordhoard_model::Timestamp;

use super::SqliteStore;
use super::rows::{signed, unsigned};
use crate::{Departure, Error, Fleet, LogKey, Retirement, ServerProfile, ServerSeen};

/// The clock of the database, which is the clock of this machine, in milliseconds since 1970 UTC.
macro_rules! now {
    () => {
        "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"
    };
}

const BEAT: &str = concat!(
    "INSERT INTO servers (log_id, seen_at, address, host, version) VALUES (?1, ",
    now!(),
    ", ?2, ?3, ?4)
     ON CONFLICT (log_id) DO UPDATE SET seen_at = excluded.seen_at, address = excluded.address, host = excluded.host,
         version = excluded.version, departure = NULL, departed_at = NULL"
);
const DEPART: &str =
    concat!("UPDATE servers SET departure = ?2, departed_at = ", now!(), " WHERE log_id = ?1");
const SERVERS: &str = concat!(
    "SELECT log_id, ",
    now!(),
    " - seen_at, address, host, version, departure, position.retired_at, position.retired_by,
         (SELECT count(*) FROM llm_requests WHERE llm_requests.log_id = servers.log_id AND status = 'running')
     FROM servers LEFT JOIN wal_positions AS position USING (log_id) ORDER BY log_id"
);
/// A log of which nothing was ever applied has no row yet that could be marked.
const KNOWN: &str = "INSERT INTO wal_positions (log_id, applied)
     SELECT log_id, 0 FROM servers WHERE log_id = ?1 ON CONFLICT DO NOTHING";
const RETIRE: &str = concat!(
    "UPDATE wal_positions SET retired_by = CASE WHEN retired_at IS NULL THEN ?2 ELSE retired_by END,
         retired_at = coalesce(retired_at, ",
    now!(),
    ") WHERE log_id = ?1 AND (retired_at IS NOT NULL OR EXISTS (SELECT 1 FROM servers AS s WHERE s.log_id = ?1
         AND s.departure IS NOT 'left' AND (s.departure IS NOT NULL OR s.seen_at <= ",
    now!(),
    " - ?3)))"
);
const TAKE_ON: &str = "UPDATE wal_positions SET retired_by = ?3
     WHERE log_id = ?1 AND retired_at IS NOT NULL AND retired_by IS ?2";
const RETIREMENT: &str =
    "SELECT retired_at, retired_by FROM wal_positions WHERE log_id = ?1 AND retired_at IS NOT NULL";

#[async_trait]
impl Fleet for SqliteStore {
    async fn beat(&self, log: LogKey, profile: ServerProfile) -> Result<(), Error> {
        self.change(BEAT, move |statement| {
            statement.execute(params![log.0, profile.address, profile.host, profile.version])
        })
        .await
        .map(drop)
    }

    async fn depart(&self, log: LogKey, departure: Departure) -> Result<(), Error> {
        self.change(DEPART, move |statement| statement.execute((log.0, departure.as_str()))).await.map(drop)
    }

    async fn servers(&self) -> Result<Vec<ServerSeen>, Error> {
        self.read(servers).await
    }

    async fn retire(&self, log: LogKey, by: Option<LogKey>, silent_for: Duration) -> Result<bool, Error> {
        self.change(KNOWN, move |statement| statement.execute([log.0])).await?;
        let silent_ms = signed(silent_for.as_millis() as u64);
        self.change(RETIRE, move |statement| statement.execute(params![log.0, by.map(|by| by.0), silent_ms]))
            .await
    }

    async fn take_on_retired(&self, log: LogKey, from: Option<LogKey>, by: LogKey) -> Result<bool, Error> {
        self.change(TAKE_ON, move |statement| {
            statement.execute(params![log.0, from.map(|from| from.0), by.0])
        })
        .await
    }

    async fn retirement(&self, log: LogKey) -> Result<Option<Retirement>, Error> {
        self.read(move |snapshot| {
            let mut statement = snapshot.prepare_cached(RETIREMENT)?;
            Ok(statement.query_row([log.0], |row| retirement(row, 0)).optional()?.flatten())
        })
        .await
    }
}

impl SqliteStore {
    /// Whether it has changed anything.
    async fn change(
        &self,
        sql: &'static str,
        execute: impl FnOnce(&mut rusqlite::CachedStatement<'_>) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<bool, Error> {
        let change =
            move |connection: &mut Connection| Ok(execute(&mut connection.prepare_cached(sql)?)? > 0);
        self.writer.run(change).await
    }
}

fn servers(snapshot: &Transaction<'_>) -> Result<Vec<ServerSeen>, Error> {
    let mut statement = snapshot.prepare_cached(SERVERS)?;
    let mut rows = statement.query([])?;
    let mut servers = Vec::new();
    while let Some(row) = rows.next()? {
        servers.push(server(row)?);
    }
    Ok(servers)
}

fn server(row: &Row<'_>) -> Result<ServerSeen, Error> {
    let said = |column| Ok::<_, Error>(row.get::<_, Option<String>>(column)?.unwrap_or_default());
    let departure: Option<String> = row.get(5)?;
    Ok(ServerSeen {
        log: LogKey(row.get(0)?),
        silent_for: Duration::from_millis(unsigned(row.get(1)?)),
        profile: ServerProfile { address: said(2)?, host: said(3)?, version: said(4)? },
        departure: departure.as_deref().map(Departure::from_name).transpose()?,
        retirement: retirement(row, 6)?,
        open_requests: unsigned(row.get(8)?),
    })
}

fn retirement(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Retirement>> {
    let (at, by): (Option<i64>, Option<[u8; 16]>) = (row.get(first)?, row.get(first + 1)?);
    Ok(at.map(|at| Retirement { at: Timestamp::from_millis(at), by: by.map(LogKey) }))
}
