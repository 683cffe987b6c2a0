use tokio_postgres::types::Type;
use wordhoard_model::Timestamp;

use super::failure::{reason, stops_a_migration};
use super::rows::get;
use super::session::Session;
use super::types::Sha256;
use crate::Error;
use crate::migration::{self, Migration, MigrationReport, MigrationStatus, pending};

pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "initial",
    sql: include_str!("../../migrations/postgres/0001_initial.sql"),
}];

/// The advisory lock that lets one server at a time look at the schema and change it. It belongs to the session, so
/// it goes with it.
const LOCK: i64 = i64::from_be_bytes(*b"wordhoar");

/// The oldest server that partitions as we need it (12: foreign tools may refer to a partitioned table).
const OLDEST_SERVER: i32 = 12;

/// Runs on a session of its own, which is closed afterwards.
pub(super) async fn run(
    session: &Session,
    migrations: &[Migration],
    at: Timestamp,
) -> Result<MigrationReport, Error> {
    let client = session.client();
    // Waits for the other servers that start at the same time, for as long as the session's lock limit says.
    client.execute_typed("SELECT pg_advisory_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    fits(session).await?;
    let mut report = MigrationReport { version: 0, applied: Vec::new() };
    let found = if is_ours(session).await? { applied(session).await? } else { Vec::new() };
    for migration in pending(migrations, &found)? {
        apply(session, migration, at).await.map_err(|error| {
            if stops_a_migration(&error) {
                Error::MigrationFailed { version: migration.version, reason: reason(&error) }
            } else {
                error.into()
            }
        })?;
        report.applied.push(migration.name);
    }
    report.version = migrations.last().map_or(0, |migration| migration.version);
    client.execute_typed("SELECT pg_advisory_unlock($1)", &[(&LOCK, Type::INT8)]).await?;
    Ok(report)
}

/// Which steps the database has; of one that never was ours, none.
pub(super) async fn status(session: &Session) -> Result<Vec<MigrationStatus>, Error> {
    let found = if is_ours(session).await? { applied(session).await? } else { Vec::new() };
    migration::status(MIGRATIONS, &found)
}

/// A text in another encoding could not hold every answer.
async fn fits(session: &Session) -> Result<(), Error> {
    let sql =
        "SELECT current_setting('server_encoding'), current_setting('server_version_num')::integer / 10000";
    let rows = session.query(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::Damaged("the server told no settings".to_owned()))?;
    let (encoding, version): (String, i32) = (get(row, 0)?, get(row, 1)?);
    let reason = if encoding != "UTF8" {
        format!(
            "the database has the encoding {encoding}; it must be UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
        )
    } else if version < OLDEST_SERVER {
        format!("the server is PostgreSQL {version}; it must be {OLDEST_SERVER} or newer")
    } else {
        return Ok(());
    };
    Err(Error::MigrationFailed { version: 1, reason })
}

async fn is_ours(session: &Session) -> Result<bool, Error> {
    let rows = session.query("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await?;
    rows.first().map_or(Ok(false), |row| get(row, 0))
}

async fn applied(session: &Session) -> Result<Vec<(u32, [u8; 32])>, Error> {
    let rows = session.query("SELECT version, sha256 FROM schema_migrations ORDER BY version", &[]).await?;
    let step = |row| {
        let version = u32::try_from(get::<i32>(row, 0)?).unwrap_or(0);
        Ok((version, get::<Sha256>(row, 1)?.0))
    };
    rows.iter().map(step).collect()
}

async fn apply(session: &Session, migration: &Migration, at: Timestamp) -> Result<(), tokio_postgres::Error> {
    let client = session.client();
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version integer NOT NULL PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL,
                 applied_at timestamptz NOT NULL
             )",
        )
        .await?;
    client.batch_execute(migration.sql).await?;
    client
        .execute_typed(
            "INSERT INTO schema_migrations (version, name, sha256, applied_at)
             VALUES ($1, $2, $3, to_timestamp($4::double precision / 1000))",
            &[
                (&(migration.version as i32), Type::INT4),
                (&migration.name, Type::TEXT),
                (&Sha256(migration.sha256()), Type::BYTEA),
                (&(at.as_millis() as f64), Type::FLOAT8),
            ],
        )
        .await?;
    client.batch_execute("COMMIT").await
}
