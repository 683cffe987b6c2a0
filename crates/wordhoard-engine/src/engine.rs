//! The engine as the server sees it.

mod administration;
mod allowance;
mod boot;
mod cancelling;
mod erasure;
mod reading;
mod servers;
mod shutdown;
mod unrecorded;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use administration::{LogReport, Probe, ProviderReport, SwitchError};
pub use boot::StartError;
pub use cancelling::CancelError;
pub use erasure::EraseError;
use opentelemetry::context::FutureExt;
use tokio_util::sync::CancellationToken;
pub use unrecorded::{TokenCount, UnrecordedError};
pub use upkeep::Rotation;
use wordhoard_model::{KeyId, RequestId, Seal, Seq, Timestamp, Transcript};
use wordhoard_store::{ListQuery, LogKey, RequestSummary, Store};
use wordhoard_wal::{Position, Wal};

use crate::accounts::Accounts;
use crate::admission::{Accepting, AdmitError, Admitted, Keys, NewRequest, Places, Running};
use crate::applier::{Applier, Link};
use crate::archiver::{ArchiveStatus, Archiver};
use crate::boot_log::BootLog;
use crate::calls::ProviderGates;
use crate::clock::Clock;
use crate::consistency::{CheckError, CheckReport, Consistency, ConsistencyStatus, Depth};
use crate::fleet::Fleet;
use crate::history::{History, ReadError};
use crate::hub::{Hub, Journal};
use crate::metrics::{Metrics, PromptFate};
use crate::orphans::{EarlierQuestion, Orphans};
use crate::providers::ProviderSet;
use crate::seals::Seals;
use crate::settings::Settings;
use crate::statistics::{Counted, Statistics};
use crate::status::{Database, Status, Storage};
use crate::subscription::{Subscribed, Subscription};
use crate::switches::Switches;
use crate::tasks::{TaskKind, Tasks};

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The log, opened and recovered.
    pub wal: Wal,
    /// The database. It may be away.
    pub store: Arc<dyn Store>,
    /// Whom it can call.
    pub providers: ProviderSet,
    /// Where it takes the time from.
    pub clock: Arc<dyn Clock>,
    /// How it behaves.
    pub settings: Settings,
    /// Where its tasks are registered.
    pub tasks: Tasks,
    /// Where it tells how far its start is.
    pub boot: BootLog,
    /// Where it counts and times what it does.
    pub metrics: Arc<Metrics>,
}

/// The engine. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) wal: Wal,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) providers: ProviderSet,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) tasks: Tasks,
    pub(crate) hub: Arc<Hub>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) history: Arc<History>,
    pub(crate) applier: Arc<Applier>,
    /// None where the log is not archived.
    pub(crate) archiver: Option<Arc<Archiver>>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) consistency: Consistency,
    pub(crate) statistics: Statistics,
    pub(crate) metrics: Arc<Metrics>,
    /// Requests that begin in the log at or behind this position began in this run.
    pub(crate) boundary: parking_lot::Mutex<Position>,
    pub(crate) keys: Keys,
    pub(crate) accounts: Arc<Accounts>,
    /// When this run began, and where the log ended then.
    pub(crate) started: (Timestamp, Position),
    pub(crate) switches: Arc<Switches>,
    pub(crate) gates: ProviderGates,
    pub(crate) accepting: Accepting,
    /// Open once the server has begun to stop.
    pub(crate) draining: Accepting,
    pub(crate) running: Running,
    pub(crate) places: Places,
    pub(crate) orphans: Orphans,
    pub(crate) seals: Seals,
    /// Held while open requests are recovered, which only one may do at a time.
    pub(crate) recovering: tokio::sync::Mutex<()>,
    /// Ends the attempts that run.
    pub(crate) stop: CancellationToken,
    /// Ends the tasks of the engine itself, after the last request.
    pub(crate) stop_tasks: CancellationToken,
    pub(crate) boot: BootLog,
}

impl Inner {
    /// The log of this server, as SQL knows it.
    pub(crate) fn log(&self) -> LogKey {
        LogKey(self.wal.log_id().0)
    }

    pub(crate) fn is_ours(&self, log: LogKey) -> bool {
        log == self.log() || self.settings.previous_logs.contains(&log)
    }
}

impl Engine {
    /// Takes a prompt in. When this returns, its record is durable and its lanes run, whether the caller stays or
    /// not.
    ///
    /// # Errors
    /// Why it was not taken in.
    pub async fn admit(&self, new: NewRequest) -> Result<Admitted, AdmitError> {
        // Its spans belong to the trace of whoever calls.
        let admission = Arc::clone(&self.inner).admit(new).with_current_context();
        let admitted = match self.inner.tasks.spawn(TaskKind::Admission, admission).await {
            Ok(Some(admitted)) => admitted,
            Ok(None) | Err(_) => Err(AdmitError::Storage("taking the prompt in failed".into())),
        };
        self.inner.metrics.prompts.add(PromptFate::of(&admitted), 1);
        admitted
    }

    /// As [`Engine::admit`], for a client that gets the answer of a call which it had to leave, if that call asked the same.
    ///
    /// # Errors
    /// Why it was not taken in.
    pub async fn adopt_or_admit(
        &self,
        new: NewRequest,
        earlier: &[EarlierQuestion],
    ) -> Result<Admitted, AdmitError> {
        if let Some(adopted) = self.inner.adopt(&new) {
            return Ok(adopted);
        }
        for question in earlier {
            if let Some(adopted) = self.inner.adopt_earlier(&new, question).await {
                return Ok(adopted);
            }
        }
        self.admit(new).await
    }

    /// Whether calls wait for clients that had to leave them.
    pub fn has_orphans(&self) -> bool {
        self.inner.orphans.are_there()
    }

    /// The client of a call of a drop-in API is gone without the end of the answer.
    pub fn note_client_gone(&self, id: RequestId) {
        if let Some(live) = self.inner.hub.get(id) {
            self.inner.orphans.note(live, self.inner.clock.now());
        }
    }

    /// Follows a request from the event behind `after` on, or from its first one.
    ///
    /// # Errors
    /// Where its events cannot be read now.
    pub async fn subscribe(&self, id: RequestId, after: Option<Seq>) -> Result<Subscribed, ReadError> {
        let is_unknown = |found: &Subscribed| matches!(found, Subscribed::NotFound);
        let open = || {
            let inner = &self.inner;
            let (history, hub, fleet) =
                (Arc::clone(&inner.history), Arc::clone(&inner.hub), Arc::clone(&inner.fleet));
            Subscription::open(history, hub, fleet, id, after)
        };
        let found = self.inner.unless_new_elsewhere(id, is_unknown, open).await?;
        if matches!(found, Subscribed::NotFound) {
            self.inner.history.ensure_not_pruned(id).await?;
        }
        Ok(found)
    }

    /// A request with its texts, as far as it is visible; `None` where there is none.
    ///
    /// # Errors
    /// Where its events cannot be read now.
    pub async fn transcript(&self, id: RequestId) -> Result<Option<Transcript>, ReadError> {
        let ask = || self.inner.transcript(id);
        let found = self.inner.unless_new_elsewhere(id, Option::is_none, ask).await?;
        if found.is_none() {
            self.inner.history.ensure_not_pruned(id).await?;
        }
        Ok(found)
    }

    /// What the models have to get back that made the calls with these ids, as far as it is known or found within a second. The
    /// ids are those of a conversation under that key, the newest first.
    pub async fn seals_of(&self, key: Option<KeyId>, call_ids: Vec<String>) -> HashMap<String, Arc<Seal>> {
        self.inner.seals_of(key, call_ids).await
    }

    /// The key that a request was asked with; none inside where it was asked without one, and none outside where there is no such
    /// request.
    ///
    /// # Errors
    /// Where its events cannot be read now.
    pub async fn key_of(&self, id: RequestId) -> Result<Option<Option<KeyId>>, ReadError> {
        if let Some(live) = self.inner.hub.get(id) {
            return Ok(Some(live.created().key));
        }
        let ask = || self.inner.key_of(id);
        let found = self.inner.unless_new_elsewhere(id, Option::is_none, ask).await?;
        if found.is_none() {
            self.inner.history.ensure_not_pruned(id).await?;
        }
        Ok(found)
    }

    /// Requests, newest first; also those that SQL does not have yet.
    ///
    /// # Errors
    /// Where SQL cannot be read now.
    pub async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, ReadError> {
        self.inner.list(query).await
    }

    /// How the engine is. Asks neither SQL nor the disk beyond its free space.
    pub fn status(&self) -> Status {
        let inner = &self.inner;
        let (report, found) = (inner.applier.report(), inner.applier.found());
        let usage = inner.wal.usage();
        Status {
            accepting: inner.accepting.is_open() && !inner.fleet.is_retired(),
            draining: inner.is_draining(),
            storage: inner.storage(),
            running_requests: inner.hub.running_count(),
            recovery_due: !inner.hub.is_whole(),
            waiting_for_recovery: inner.hub.waiting_for_recovery(),
            buffer_len: inner.applier.backlog(),
            wal_size_bytes: usage.size_bytes,
            disk_free_bytes: usage.free_bytes,
            commits: inner.wal.commit_stats(),
            database: match &*inner.applier.watch_link().borrow() {
                Link::Up => Database::Up,
                Link::Connecting => Database::Connecting,
                Link::Migrating => Database::Migrating,
                Link::Away(problem) => Database::Away(problem.clone()),
                Link::Refused(problem) => Database::Refused(problem.clone()),
                Link::Retired => Database::Retired,
            },
            schema_version: found.schema_version,
            weaknesses: found.weaknesses,
            last_db_answer: report.last_answer,
            last_db_write: report.last_write,
            last_flush_ms: report.last_flush_ms,
            conflicts: report.conflicts,
            quarantined: report.quarantined,
        }
    }

    /// Checks whether SQL holds all that it should, and puts back what the log still has.
    ///
    /// # Errors
    /// Where another check runs, or SQL cannot be asked: then nothing is known.
    pub async fn check(&self, depth: Depth) -> Result<CheckReport, CheckError> {
        self.inner.check(depth, Duration::ZERO).await
    }

    /// How the archive of the log is; `None` where there is none.
    pub fn archive_status(&self) -> Option<ArchiveStatus> {
        self.inner.archiver.as_ref().map(|archiver| archiver.status())
    }

    /// Brings the archive up to what is durable now, where there is one.
    ///
    /// # Errors
    /// Why it could not.
    pub async fn archive_now(&self) -> Result<(), String> {
        match &self.inner.archiver {
            Some(archiver) => archiver.step().await.map(drop),
            None => Ok(()),
        }
    }

    /// Keeps all of the log, whatever SQL has of it, until it is told otherwise: somebody replays it elsewhere.
    pub fn hold_log(&self, holds: bool) {
        self.inner.applier.hold_log(holds);
    }

    /// The database.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Cancelled once the tasks of the engine end.
    pub fn stopping(&self) -> CancellationToken {
        self.inner.stop_tasks.clone()
    }

    /// The log of this server, as SQL knows it.
    pub fn log(&self) -> LogKey {
        self.inner.log()
    }

    /// What the checks so far have said.
    pub fn consistency(&self) -> ConsistencyStatus {
        self.inner.consistency.status()
    }

    /// What the engine counts and times.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// What SQL holds, as it was counted last; nothing where it could not be counted yet.
    pub fn counted(&self) -> Option<Counted> {
        self.inner.statistics.counted()
    }

    /// How the start went.
    pub fn boot(&self) -> &BootLog {
        &self.inner.boot
    }

    /// The providers that can be called.
    pub fn providers(&self) -> &ProviderSet {
        &self.inner.providers
    }

    /// Whether the log can be written.
    pub fn storage(&self) -> Storage {
        self.inner.storage()
    }
}
