use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use wordhoard_model::{RequestId, Timestamp};

use super::PostgresStore;
use super::limits::{self, ServerLimits, within};
use super::rows::{get, named};
use super::session::Session;
use super::types::{Id, Log, Moment};
use crate::columns::signed;
use crate::jobs::statements;
use crate::{Error, Jobs, Lease, MaintenanceRun, RunId, RunOutcome};

const TRY_LOCK: &str = "SELECT pg_try_advisory_lock($1)";
const RUNS: &str =
    "SELECT run_id, job, log_id, started_at, finished_at, outcome, detail FROM maintenance_runs
    WHERE job = $1 AND ($2::text IS NULL OR outcome = $2) ORDER BY started_at DESC, run_id DESC LIMIT $3";
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    TRY_LOCK,
    RUNS,
    statements::BURY,
    statements::BEGIN,
    statements::END,
    statements::SINCE_NOTE,
    statements::COVERED_UNTIL,
];

#[async_trait]
impl Jobs for PostgresStore {
    async fn lead(&self, job: &str) -> Result<Option<Box<dyn Lease>>, Error> {
        self.ensure_open()?;
        let key = lock_key(job);
        within(limits::READ, async {
            let session = self.target.connect(ServerLimits::READ, None).await?;
            let rows = session.query(TRY_LOCK, &[&key]).await?;
            let held = rows.first().map_or(Ok(false), |row| get(row, 0))?;
            Ok(held.then(|| Box::new(SessionLease(session)) as Box<dyn Lease>))
        })
        .await
    }

    async fn begin_run(&self, run: MaintenanceRun) -> Result<(), Error> {
        self.short(move |session| Box::pin(begin(session, run))).await
    }

    async fn end_run(
        &self,
        id: RunId,
        finished_at: Timestamp,
        outcome: RunOutcome,
        detail: String,
    ) -> Result<(), Error> {
        self.short(move |session| {
            Box::pin(async move {
                let (id, finished_at) = (run_id(id), Moment::of(finished_at)?);
                session.execute(statements::END, &[&finished_at, &outcome.as_str(), &detail, &id]).await?;
                Ok(())
            })
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
        self.short(move |session| {
            Box::pin(async move {
                let (outcome, limit) = (outcome.map(RunOutcome::as_str), signed(limit as u64));
                session.query(RUNS, &[&job, &outcome, &limit]).await?.iter().map(from_row).collect()
            })
        })
        .await
    }

    async fn scheduled_since(&self, job: &str, now: Timestamp) -> Result<Timestamp, Error> {
        let name = statements::since_name(job);
        self.short(move |session| {
            Box::pin(async move {
                session.execute(statements::SINCE_NOTE, &[&name, &Moment::of(now)?]).await?;
                let rows = session.query(statements::COVERED_UNTIL, &[&name]).await?;
                rows.first().map_or(Ok(now), |row| Ok(get::<Moment>(row, 0)?.timestamp()))
            })
        })
        .await
    }
}

/// If it fails, the connection is thrown away, and the transaction with it.
async fn begin(session: &Session, run: MaintenanceRun) -> Result<(), Error> {
    session.client().batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let started_at = Moment::of(run.started_at)?;
    session.execute(statements::BURY, &[&started_at, &run.job]).await?;
    let finished_at = run.finished_at.map(Moment::of).transpose()?;
    session
        .execute(
            statements::BEGIN,
            &[
                &run_id(run.id),
                &run.job,
                &Log(run.log),
                &started_at,
                &finished_at,
                &run.outcome.as_str(),
                &run.detail,
            ],
        )
        .await?;
    session.client().batch_execute("COMMIT").await?;
    Ok(())
}

fn from_row(row: &Row) -> Result<MaintenanceRun, Error> {
    Ok(MaintenanceRun {
        id: RunId(*get::<Id>(row, 0)?.0.as_bytes()),
        job: get(row, 1)?,
        log: get::<Log>(row, 2)?.0,
        started_at: get::<Moment>(row, 3)?.timestamp(),
        finished_at: get::<Option<Moment>>(row, 4)?.map(Moment::timestamp),
        outcome: named(row, 5, RunOutcome::from_name)?,
        detail: get(row, 6)?,
    })
}

fn run_id(id: RunId) -> Id {
    Id(RequestId::from_bytes(id.0))
}

/// An advisory lock of the session, on a connection of its own.
#[derive(Debug)]
struct SessionLease(Session);

impl Lease for SessionLease {
    fn is_held(&self) -> bool {
        !self.0.is_closed()
    }
}

fn lock_key(job: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(format!("wordhoard job {job}")).into();
    digest[..8].iter().fold(0, |key, byte| key << 8 | i64::from(*byte))
}
