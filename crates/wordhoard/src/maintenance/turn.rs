use uuid::Uuid;
use wordhoard_store::{Error, Lease, MaintenanceRun, RunId, RunOutcome};

use super::{JobResult, Maintenance};

/// Why a job cannot be run now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    /// Somebody else runs it.
    #[error("the job {0:?} is running, here or on another server of this database")]
    Running(&'static str),
    /// SQL cannot be asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The right to run a job, and its only run.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    pub(super) maintenance: Maintenance,
    pub(super) job: &'static str,
    pub(super) lease: Box<dyn Lease>,
}

impl Turn {
    /// Runs the job, and records that. A run that is dropped before its end counts as failed.
    pub(crate) async fn run(self, work: impl Future<Output = JobResult>) -> JobResult {
        let Self { maintenance, job, lease } = self;
        let store = &maintenance.inner.store;
        let (id, started_at) = (RunId(Uuid::now_v7().into_bytes()), maintenance.now());
        let run = MaintenanceRun {
            id,
            job: job.to_owned(),
            log: maintenance.inner.log,
            started_at,
            finished_at: None,
            outcome: RunOutcome::Running,
            detail: None,
        };
        store.begin_run(run).await.map_err(|error| error.to_string())?;
        tracing::info!(job, "maintenance begins");
        let result = work.await;
        if !lease.is_held() {
            tracing::warn!(job, "the right to run this job was lost with a connection before it ended");
        }
        let (outcome, detail) = match &result {
            Ok(done) => (RunOutcome::Finished, done.to_string()),
            Err(error) => (RunOutcome::Failed, serde_json::json!({ "error": error }).to_string()),
        };
        match &result {
            Ok(_) => {
                maintenance.note(job, started_at);
                tracing::info!(job, detail, "maintenance is done");
            }
            Err(error) => tracing::error!(job, error, "maintenance failed"),
        }
        if let Err(error) = store.end_run(id, maintenance.now(), outcome, detail).await {
            tracing::warn!(job, %error, "the end of a maintenance run could not be recorded");
        }
        result
    }
}
