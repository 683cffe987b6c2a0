use rusqlite::{Connection, TransactionBehavior};
use wordhoard_model::Timestamp;

use crate::Error;
use crate::migration::{self, Migration, MigrationReport, MigrationStatus, pending};

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "initial",
    sql: include_str!("../../migrations/sqlite/0001_initial.sql"),
}];

pub(super) fn run(connection: &mut Connection, at: Timestamp) -> Result<MigrationReport, Error> {
    let found = if is_ours(connection)? { applied(connection)? } else { Vec::new() };
    let mut report = MigrationReport { version: 0, applied: Vec::new() };
    for migration in pending(MIGRATIONS, &found)? {
        apply(connection, migration, at).map_err(|error| failure(migration, error))?;
        report.applied.push(migration.name);
    }
    report.version = MIGRATIONS.last().map_or(0, |migration| migration.version);
    Ok(report)
}

/// What a file has that is not there.
pub(super) fn status_of_none() -> Result<Vec<MigrationStatus>, Error> {
    migration::status(MIGRATIONS, &[])
}

/// Which steps the file has; of a file that never was ours, none.
pub(super) fn status(snapshot: &Connection) -> Result<Vec<MigrationStatus>, Error> {
    let applied = if is_ours(snapshot)? { applied(snapshot)? } else { Vec::new() };
    migration::status(MIGRATIONS, &applied)
}

fn is_ours(connection: &Connection) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    Ok(connection.prepare(sql)?.exists([])?)
}

fn applied(connection: &Connection) -> Result<Vec<(u32, [u8; 32])>, Error> {
    let mut statement =
        connection.prepare("SELECT version, sha256 FROM schema_migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn apply(connection: &mut Connection, migration: &Migration, at: Timestamp) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 BLOB NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (?1, ?2, ?3, ?4)",
        (migration.version, migration.name, migration.sha256(), at.as_millis()),
    )?;
    transaction.commit()
}

/// A lock, a full disk or a file system that fails says nothing about the migration: it is tried again.
fn failure(migration: &Migration, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked | DiskFull | SystemIoFailure | ReadOnly | CannotOpen) => {
            error.into()
        }
        _ => Error::MigrationFailed { version: migration.version, reason: error.to_string() },
    }
}
