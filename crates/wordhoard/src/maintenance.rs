//! Maintenance jobs: one server on a database runs one at a time, on its schedule or because somebody asks, and each run
//! is recorded in SQL.

mod schedule;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
pub(crate) use schedule::watch;
use serde_json::Value;
pub(crate) use turn::{Turn, TurnError};
use wordhoard_engine::Clock;
use wordhoard_model::Timestamp;
use wordhoard_store::{Error, LogKey, RunOutcome, Store};

use crate::config::Schedule;

/// The job that removes old requests.
pub(crate) const PRUNE: &str = "prune";
/// The job that makes a backup.
pub(crate) const BACKUP: &str = "backup";

/// What a job has done, as JSON, or why it failed.
pub(crate) type JobResult = Result<Value, String>;

/// Something that is done by itself, from time to time.
pub(crate) struct Job {
    /// Its name, by which its runs are recorded.
    pub(crate) name: &'static str,
    /// When it is due.
    pub(crate) schedule: Schedule,
    /// Does it.
    pub(crate) work: Box<dyn Fn() -> BoxFuture<'static, JobResult> + Send + Sync>,
}

/// Who runs what, and when it was last run. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Maintenance {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    log: LogKey,
    clock: Arc<dyn Clock>,
    /// When each job last began that then went well, on any server, as far as was heard of.
    last: Mutex<BTreeMap<&'static str, Timestamp>>,
}

impl Maintenance {
    /// Of the server of this log; zeros where there is none.
    pub(crate) fn new(store: Arc<dyn Store>, log: LogKey, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { store, log, clock, last: Mutex::default() }) }
    }

    /// When old requests were last removed. From memory, which hears of other servers' runs within a minute.
    pub(crate) fn last_prune(&self) -> Option<Timestamp> {
        self.last_run(PRUNE)
    }

    /// When a job last began that then went well.
    pub(crate) fn last_run(&self, job: &'static str) -> Option<Timestamp> {
        self.inner.last.lock().get(job).copied()
    }

    /// Takes the right to run a job.
    ///
    /// # Errors
    /// Where it runs already, here or anywhere on this database, or SQL cannot be asked.
    pub(crate) async fn turn(&self, job: &'static str) -> Result<Turn, TurnError> {
        let lease = self.inner.store.lead(job).await?.ok_or(TurnError::Running(job))?;
        Ok(Turn { maintenance: self.clone(), job, lease })
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn note(&self, job: &'static str, began: Timestamp) {
        let mut last = self.inner.last.lock();
        let newest = last.entry(job).or_insert(began);
        *newest = began.max(*newest);
    }

    /// Looks in SQL when a job last began that then went well.
    async fn look(&self, job: &'static str) -> Result<Option<Timestamp>, Error> {
        let runs = self.inner.store.runs(job, Some(RunOutcome::Finished), 1).await?;
        let began = runs.first().map(|run| run.started_at);
        if let Some(began) = began {
            self.note(job, began);
        }
        Ok(began)
    }
}
