//! The start: the log and SQL agree on where they are, what the log still holds is applied, what a crash left open
//! is closed or goes on, and only then prompts are accepted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wordhoard_store::LogKey;
use wordhoard_wal::Position;

use super::{Engine, Inner, Parts};
use crate::applier::Applier;
use crate::history::History;
use crate::hub::{Hub, Journal};
use crate::record::KIND_FILLER;
use crate::recovery::{self, RecoveryError};
use crate::settings::{Durability, Settings};
use crate::tasks::TaskKind;
use crate::{admission, storage_guard};

/// Records that SQL may be ahead of the log before the log is taken for another one. A torn tail that was applied
/// is one batch at most.
const MAX_AHEAD: u64 = 1_000_000;
/// How often a long catch-up tells how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// SQL cannot be read.
    #[error(transparent)]
    Store(#[from] wordhoard_store::Error),
    /// SQL lacks records that the log has let go: it is another database, or an older copy of it.
    #[error(
        "the database has {applied} records of this log, but the log begins at {first}: what lies between is in \
         neither; put the database back that belongs to this data directory"
    )]
    DatabaseTooOld {
        /// How far the log is applied.
        applied: u64,
        /// The first record of the log.
        first: u64,
    },
    /// SQL has far more records than the log: the log is another one, or an older copy of it.
    #[error(
        "the database has {applied} records of this log, but the log ends at {durable}: put the log back that \
         belongs to this database, or move it away to begin a new one"
    )]
    LogTooOld {
        /// How far the log is applied.
        applied: u64,
        /// The end of the log.
        durable: u64,
    },
    /// The log cannot be written.
    #[error("the log cannot be written: {0}")]
    Log(#[from] wordhoard_wal::AppendError),
    /// What was open cannot be closed.
    #[error("open requests cannot be recovered: {0}")]
    Recovery(#[from] RecoveryError),
}

impl Engine {
    /// Starts the engine. When this returns, it accepts prompts.
    ///
    /// # Errors
    /// Why it cannot; nothing is accepted then.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let log = LogKey(parts.wal.log_id().0);
        let applied = parts.store.applied(log).await?;
        align(&parts, applied).await?;
        let inner = Arc::new(assemble(parts, Position(applied)));
        inner.spawn_tasks();
        inner.recover().await?;
        inner.accepting.open();
        // Only now: a log that latches before is the end of this start, and the next one recovers.
        let guard = storage_guard::run(Arc::clone(&inner), inner.stop_tasks.clone());
        inner.tasks.spawn(TaskKind::StorageGuard, guard);
        Ok(Self { inner })
    }
}

/// Sees to it that the log goes on where SQL is, or says why it cannot.
async fn align(parts: &Parts, applied: u64) -> Result<(), StartError> {
    let (first, durable) = (parts.wal.usage().first.0, parts.wal.progress().durable.0);
    if applied < first {
        return Err(StartError::DatabaseTooOld { applied, first });
    }
    if applied <= durable {
        return Ok(());
    }
    if applied - durable > MAX_AHEAD {
        return Err(StartError::LogTooOld { applied, durable });
    }
    // The end of the log was damaged after it had been applied. SQL has those records; the log must not give their
    // positions to others.
    tracing::warn!(missing = applied - durable, "SQL has records that the log has lost; the log skips them");
    let mut last = Position(durable);
    for _ in durable..applied {
        parts.wal.has_room().await?;
        last = parts.wal.append(KIND_FILLER, 0, &[])?;
    }
    parts.wal.durable(last).await?;
    Ok(())
}

fn assemble(parts: Parts, applied: Position) -> Inner {
    let Parts { wal, store, providers, clock, settings, tasks } = parts;
    let journal = Arc::new(Journal::new(wal.clone(), Arc::clone(&clock), &settings));
    let applier = Applier::new(
        wal.clone(),
        Arc::clone(&store),
        Arc::clone(&clock),
        Settings::clone(&settings),
        applied,
    );
    Inner {
        hub: Arc::new(Hub::default()),
        journal,
        history: Arc::new(History::new(Arc::clone(&store), wal.clone())),
        applier: Arc::new(applier),
        keys: admission::Keys::default(),
        accepting: admission::Accepting::default(),
        draining: admission::Accepting::default(),
        running: admission::Running::default(),
        recovering: tokio::sync::Mutex::new(()),
        stop: CancellationToken::new(),
        stop_tasks: CancellationToken::new(),
        wal,
        store,
        providers,
        clock,
        settings,
        tasks,
    }
}

impl Inner {
    fn spawn_tasks(self: &Arc<Self>) {
        self.tasks.spawn(TaskKind::Applier, Arc::clone(&self.applier).run(self.stop_tasks.clone()));
        self.tasks.spawn(TaskKind::Visibility, Arc::clone(self).show_what_is_durable());
    }

    /// Moves the visible marks with the log and SQL, until the log is closed.
    async fn show_what_is_durable(self: Arc<Self>) {
        let mut progress = self.wal.watch();
        let mut applied = self.applier.applied();
        loop {
            progress.mark_unchanged();
            applied.mark_unchanged();
            self.show_durable();
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { return },
                changed = applied.changed() => if changed.is_err() { return },
                () = self.stop_tasks.cancelled() => {
                    self.show_durable();
                    return;
                }
            }
        }
    }

    /// Shows what is durable by the setting, and lets go what ended and is in SQL.
    pub(crate) fn show_durable(&self) {
        let (durable, applied) = (self.wal.progress().durable, *self.applier.applied().borrow());
        let shown = if self.settings.durability == Durability::Database { applied } else { durable };
        for let_go in self.hub.advance(&self.journal, shown, applied) {
            if let Some(given) = let_go.idempotency() {
                self.keys.forget(given, let_go.id());
            }
        }
    }

    /// Applies what the log holds, then closes or resumes what SQL says is open. At boot, and after the log had
    /// latched.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<(), RecoveryError> {
        let started = Instant::now();
        let _alone = self.recovering.lock().await;
        let mut caught_up = std::pin::pin!(self.applier.catch_up());
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut caught_up).await {
                Ok(true) => break,
                Ok(false) => return Err(RecoveryError::Latched),
                Err(_) => {
                    let (applied, durable) = (*self.applier.applied().borrow(), self.wal.progress().durable);
                    tracing::info!(applied = applied.0, of = durable.0, "applying what the log holds");
                }
            }
        }
        let log = LogKey(self.wal.log_id().0);
        let resume = self.settings.resume_interrupted;
        let recovered = recovery::recover(&*self.store, log, &self.hub, &self.journal, resume).await?;
        let (resumed, closed) = (recovered.resumed.len(), recovered.closed);
        for live in recovered.resumed {
            self.start(live, self.running.enter());
        }
        self.hub.is_whole_again();
        if resumed + closed + recovered.damaged > 0 {
            tracing::info!(
                resumed,
                closed,
                damaged = recovered.damaged,
                elapsed_ms = started.elapsed().as_millis() as u64,
                "requests that were interrupted are taken up again"
            );
        }
        Ok(())
    }
}
