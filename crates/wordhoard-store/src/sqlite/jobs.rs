use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::{Connection, Row, TransactionBehavior};
use wordhoard_model::Timestamp;

use super::SqliteStore;
use super::rows::{named, signed};
use crate::jobs::statements;
use crate::{Error, Jobs, Lease, LogKey, MaintenanceRun, RunId, RunOutcome};

#[async_trait]
impl Jobs for SqliteStore {
    async fn lead(&self, job: &str) -> Result<Option<Box<dyn Lease>>, Error> {
        let path = lock_path(&self.path, job);
        let locked = tokio::task::spawn_blocking(move || lock(&path)).await.map_err(|_| Error::Closed)?;
        Ok(locked?.map(|file| Box::new(FileLease(file)) as Box<dyn Lease>))
    }

    async fn begin_run(&self, run: MaintenanceRun) -> Result<(), Error> {
        self.writer.run(move |connection| begin(connection, &run)).await
    }

    async fn end_run(
        &self,
        id: RunId,
        finished_at: Timestamp,
        outcome: RunOutcome,
        detail: String,
    ) -> Result<(), Error> {
        let values = (finished_at.as_millis(), outcome.as_str(), detail, id.0);
        self.writer
            .run(move |connection| {
                connection.prepare_cached(statements::END)?.execute(values)?;
                Ok(())
            })
            .await
    }

    async fn runs(
        &self,
        job: &str,
        outcome: Option<RunOutcome>,
        limit: usize,
    ) -> Result<Vec<MaintenanceRun>, Error> {
        let job = job.to_owned();
        self.read(move |snapshot| {
            let sql = "SELECT run_id, job, log_id, started_at, finished_at, outcome, detail FROM maintenance_runs
                WHERE job = ?1 AND (?2 IS NULL OR outcome = ?2) ORDER BY started_at DESC, run_id DESC LIMIT ?3";
            let mut statement = snapshot.prepare_cached(sql)?;
            let values = (job, outcome.map(RunOutcome::as_str), signed(limit as u64));
            let rows = statement.query_map(values, from_row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn scheduled_since(&self, job: &str, now: Timestamp) -> Result<Timestamp, Error> {
        let name = statements::since_name(job);
        let note = move |connection: &mut Connection| {
            connection.prepare_cached(statements::SINCE_NOTE)?.execute((&name, now.as_millis()))?;
            let mut since = connection.prepare_cached(statements::COVERED_UNTIL)?;
            Ok(Timestamp::from_millis(since.query_row([&name], |row| row.get(0))?))
        };
        self.writer.run(note).await
    }
}

fn begin(connection: &mut Connection, run: &MaintenanceRun) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(statements::BURY, (run.started_at.as_millis(), &run.job))?;
    let values = (
        run.id.0,
        &run.job,
        run.log.0,
        run.started_at.as_millis(),
        run.finished_at.map(Timestamp::as_millis),
        run.outcome.as_str(),
        &run.detail,
    );
    transaction.execute(statements::BEGIN, values)?;
    Ok(transaction.commit()?)
}

fn from_row(row: &Row<'_>) -> Result<MaintenanceRun, rusqlite::Error> {
    Ok(MaintenanceRun {
        id: RunId(row.get(0)?),
        job: row.get(1)?,
        log: LogKey(row.get(2)?),
        started_at: Timestamp::from_millis(row.get(3)?),
        finished_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
        outcome: named(row, 5, RunOutcome::from_name)?,
        detail: row.get(6)?,
    })
}

/// A lock on a file beside the database: held by the open file, so it ends with the process, however that ends.
#[derive(Debug)]
struct FileLease(#[expect(dead_code, reason = "holding it is its use")] File);

impl Lease for FileLease {
    fn is_held(&self) -> bool {
        true
    }
}

/// `wordhoard.db.prune.lock`. The file stays; removing it would let two have a lock, each on a file of its own.
fn lock_path(database: &Path, job: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{job}.lock"));
    database.with_file_name(name)
}

fn lock(path: &Path) -> Result<Option<File>, Error> {
    let unavailable = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}
