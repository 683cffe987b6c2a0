//! When a job is due. What was last done is in SQL, so that a run that was missed while no server was there is made up
//! for, once, and so that several servers do not do it twice.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;

use super::{Job, Maintenance, TurnError};

/// How often it is looked whether the job is due. Cron counts in minutes.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// A job that has failed is tried again so late.
const FAILED_PAUSE: Duration = Duration::from_secs(10 * 60);
/// A start has other things to do first.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// What looking after a job has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// It is not due, or somebody else runs it.
    NotNow,
    /// It was run.
    Done,
    /// It was run and failed.
    Failed,
}

/// Runs a job whenever it is due, until `stop`.
pub(crate) async fn watch(maintenance: Maintenance, job: Job, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = maintenance.attend(&job) => looked,
        };
        pause = match looked {
            Ok(Looked::Failed) => FAILED_PAUSE,
            Ok(_) => LOOK_INTERVAL,
            Err(error) => {
                tracing::debug!(job = job.name, %error, "whether maintenance is due cannot be told now");
                LOOK_INTERVAL
            }
        };
    }
}

impl Maintenance {
    /// Runs the job if it is due.
    pub(super) async fn attend(&self, job: &Job) -> Result<Looked, TurnError> {
        if !self.is_due(job).await? {
            return Ok(Looked::NotNow);
        }
        let turn = match self.turn(job.name).await {
            Ok(turn) => turn,
            Err(TurnError::Running(_)) => return Ok(Looked::NotNow),
            Err(error) => return Err(error),
        };
        // Somebody else may have done it since.
        if !self.is_due(job).await? {
            return Ok(Looked::NotNow);
        }
        let result = turn.run((job.work)()).await;
        Ok(if result.is_ok() { Looked::Done } else { Looked::Failed })
    }

    async fn is_due(&self, job: &Job) -> Result<bool, TurnError> {
        let now = self.now();
        let last = self.look(job.name).await?;
        let Some(due) = previous(job, now) else { return Ok(false) };
        match last {
            Some(last) => Ok(due > last),
            None => Ok(due > self.inner.store.scheduled_since(job.name, now).await?),
        }
    }
}

/// The newest moment at which the job was due, in local time.
fn previous(job: &Job, now: Timestamp) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
    let due = job.schedule.previous(&Zoned::new(now, TimeZone::system()))?;
    Some(Timestamp::from_millis(due.timestamp().as_millisecond()))
}
