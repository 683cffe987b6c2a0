//! Maintenance jobs: who runs one now, and when each was run.

use std::fmt;

use async_trait::async_trait;
use wordhoard_model::Timestamp;

use crate::{Error, LogKey};

/// The id of a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId(pub [u8; 16]);

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It runs; or its server ended before it.
    Running,
    /// It did what it had to.
    Finished,
    /// It did not.
    Failed,
}

impl RunOutcome {
    /// Its name, as the table has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    /// The outcome of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Failed].into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// A run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceRun {
    /// Which run.
    pub id: RunId,
    /// Of which job.
    pub job: String,
    /// The log of the server that runs it; zeros where it was run without one.
    pub log: LogKey,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it stands.
    pub outcome: RunOutcome,
    /// JSON: what it did, or why it failed.
    pub detail: Option<String>,
}

/// The right to run a job, which one process on a database has at a time. Dropping it gives it up, and so does the end
/// of the process.
pub trait Lease: Send + Sync + fmt::Debug {
    /// Whether it is still held: it is lost with the connection to the database.
    fn is_held(&self) -> bool;
}

/// What the scheduler needs of a database.
#[async_trait]
pub trait Jobs {
    /// Takes the right to run a job; none where somebody else has it.
    async fn lead(&self, job: &str) -> Result<Option<Box<dyn Lease>>, Error>;

    /// Records that a run begins. Runs of that job that have no end yet are dead, since the caller has the lease, and
    /// are recorded as failed.
    async fn begin_run(&self, run: MaintenanceRun) -> Result<(), Error>;

    /// Records how it ended.
    async fn end_run(
        &self,
        id: RunId,
        finished_at: Timestamp,
        outcome: RunOutcome,
        detail: String,
    ) -> Result<(), Error>;

    /// The newest runs of a job, newest first; of one outcome where one is given.
    async fn runs(
        &self,
        job: &str,
        outcome: Option<RunOutcome>,
        limit: usize,
    ) -> Result<Vec<MaintenanceRun>, Error>;

    /// Since when a job's schedule counts on this database: the `now` of the first call for it, ever. What was due
    /// before is not missed.
    async fn scheduled_since(&self, job: &str, now: Timestamp) -> Result<Timestamp, Error>;
}

pub(crate) mod statements {
    //! In the SQL that both backends share.

    pub(crate) const BURY: &str = "UPDATE maintenance_runs SET outcome = 'failed', finished_at = $1,
            detail = '{\"error\":\"its server ended before it\"}'
        WHERE job = $2 AND outcome = 'running'";
    pub(crate) const BEGIN: &str = "INSERT INTO maintenance_runs
            (run_id, job, log_id, started_at, finished_at, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    pub(crate) const END: &str =
        "UPDATE maintenance_runs SET finished_at = $1, outcome = $2, detail = $3 WHERE run_id = $4";
    pub(crate) const SINCE_NOTE: &str = "INSERT INTO maintenance (name, finished_at, covered_until)
        VALUES ($1, $2, $2) ON CONFLICT (name) DO NOTHING";
    pub(crate) const COVERED_UNTIL: &str = "SELECT covered_until FROM maintenance WHERE name = $1";

    /// The name in the table `maintenance` under which the beginning of a job's schedule is recorded.
    pub(crate) fn since_name(job: &str) -> String {
        format!("schedule.{job}")
    }
}
