//! The start, in the order of SPEC FD 7: SQL is reached and its schema brought up, what the log still holds is
//! applied, what a crash left open is closed or goes on, and then prompts are accepted.
//!
//! None of it needs SQL: where SQL does not answer in time, the server starts on its log and does the rest when SQL
//! is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wordhoard_wal::Position;

use super::{Engine, Inner, Parts};
use crate::accounts::Accounts;
use crate::applier::{Applier, Link};
use crate::archiver::Archiver;
use crate::boot_log::BootLog;
use crate::calls::{self, ProviderGates};
use crate::consistency::{self, Consistency, Depth};
use crate::fleet::{self, Fleet};
use crate::history::History;
use crate::hub::{Hub, Journal};
use crate::orphans::Orphans;
use crate::recovery::{self, Ground, RecoveryError};
use crate::request::{Going, Tickets};
use crate::seals::Seals;
use crate::settings::{Durability, Settings};
use crate::statistics::{self, Statistics};
use crate::switches::{self, Switches};
use crate::tasks::TaskKind;
use crate::{accounts, admission, storage_guard};

/// How long the start waits for SQL to say anything. A database on the way down may be silent for longer than one that
/// is gone.
const LINK_PATIENCE: Duration = Duration::from_millis(1_200);
/// How long the start waits for SQL to take what the log holds. After a crash that is a second's worth; after an
/// outage it may be hours' worth, and nobody has to wait for it.
const APPLY_PATIENCE: Duration = Duration::from_millis(600);
/// How long the start waits to hear which providers are disabled.
const SWITCHES_PATIENCE: Duration = Duration::from_millis(400);
/// How long the start waits for the check of what has changed lately.
const CHECK_PATIENCE: Duration = Duration::from_millis(400);
/// How often a long wait tells how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// SQL is there and must not be used.
    #[error("{0}")]
    Database(String),
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
        let boot = parts.boot.clone();
        let inner = Arc::new(assemble(parts));
        inner.spawn_tasks();
        inner.reach_database(&boot).await?;
        inner.hear_of_switches().await;
        // Only now: what an earlier run has noted is read before it is overwritten.
        let breakers = calls::write_breakers(Arc::clone(&inner), inner.stop_tasks.clone());
        inner.tasks.spawn(TaskKind::Breakers, breakers);
        inner.apply_backlog(&boot).await;
        let step = boot.begin("recovery");
        match inner.recover().await {
            Ok(()) if inner.hub.is_whole() => step.done(),
            Ok(()) => step.deferred("what only SQL knows is taken up when SQL is there"),
            Err(RecoveryError::Store(error)) => step.deferred(error.to_string()),
            Err(error) => {
                step.failed(error.to_string());
                return Err(error.into());
            }
        }
        accounts::load_at_start(&inner).await;
        let recent_is_checked = inner.check_recent(&boot).await;
        inner.accepting.open();
        // Only now: a log that latches before is the end of this start, and the next one recovers.
        let guard = storage_guard::run(Arc::clone(&inner), inner.stop_tasks.clone());
        inner.tasks.spawn(TaskKind::StorageGuard, guard);
        inner.tasks.spawn(TaskKind::LateRecovery, Arc::clone(&inner).recover_late());
        let checks = consistency::run(Arc::clone(&inner), recent_is_checked, inner.stop_tasks.clone());
        inner.tasks.spawn(TaskKind::Consistency, checks);
        Ok(Self { inner })
    }
}

fn assemble(parts: Parts) -> Inner {
    let Parts { wal, store, providers, clock, settings, tasks, boot, metrics } = parts;
    let archiver = Archiver::new(&wal, &clock, &settings);
    let journal = Arc::new(Journal::new(wal.clone(), Arc::clone(&clock), &settings));
    let applier = Arc::new(Applier::new(
        wal.clone(),
        Arc::clone(&store),
        Arc::clone(&clock),
        Settings::clone(&settings),
        Arc::clone(journal.index()),
        archiver.clone(),
        Arc::clone(&metrics),
    ));
    let history = History::new(
        Arc::clone(&store),
        wal.clone(),
        Arc::clone(journal.index()),
        applier.applied(),
        applier.sql_away(),
        Arc::clone(&clock),
    );
    let gates = ProviderGates::new(providers.names(), &settings.calls, &metrics);
    let accounts = Arc::new(Accounts::default());
    accounts.set_limits(settings.key_limits.clone());
    let hub = Hub::default();
    hub.note_incomplete();
    Inner {
        hub: Arc::new(hub),
        history: Arc::new(history),
        boundary: parking_lot::Mutex::new(wal.progress().durable),
        journal,
        applier,
        archiver,
        fleet: Arc::new(Fleet::default()),
        consistency: Consistency::default(),
        statistics: Statistics::default(),
        metrics,
        keys: admission::Keys::default(),
        accounts,
        started: (clock.now(), wal.progress().durable),
        gates,
        switches: Arc::new(Switches::open(settings.switches_copy.clone())),
        accepting: admission::Accepting::default(),
        draining: admission::Accepting::default(),
        running: admission::Running::default(),
        places: admission::Places::default(),
        orphans: Orphans::default(),
        seals: Seals::default(),
        recovering: tokio::sync::Mutex::new(()),
        stop: CancellationToken::new(),
        stop_tasks: CancellationToken::new(),
        wal,
        store,
        providers,
        clock,
        settings,
        tasks,
        boot,
    }
}

impl Inner {
    fn spawn_tasks(self: &Arc<Self>) {
        self.tasks.spawn(TaskKind::Applier, Arc::clone(&self.applier).run(self.stop_tasks.clone()));
        self.tasks.spawn(TaskKind::Visibility, Arc::clone(self).show_what_is_durable());
        self.tasks.spawn(TaskKind::Fleet, Arc::clone(self).stand_down_when_retired());
        if let Some(archiver) = &self.archiver {
            self.tasks.spawn(TaskKind::Archiver, Arc::clone(archiver).run(self.stop_tasks.clone()));
        }
        self.tasks.spawn(TaskKind::Statistics, statistics::run(Arc::clone(self), self.stop_tasks.clone()));
        self.tasks.spawn(TaskKind::Fleet, fleet::run(Arc::clone(self), self.stop_tasks.clone()));
        self.tasks.spawn(TaskKind::Accounts, accounts::run(Arc::clone(self), self.stop_tasks.clone()));
        self.tasks.spawn(TaskKind::Switches, switches::run(Arc::clone(self), self.stop_tasks.clone()));
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
        for (id, key) in self.hub.advance(&self.journal, shown, applied) {
            self.keys.forget(&key, id);
        }
    }

    /// Waits for the first word of SQL.
    async fn reach_database(&self, boot: &BootLog) -> Result<(), StartError> {
        let step = boot.begin("database");
        let mut link = self.applier.watch_link();
        let started = Instant::now();
        loop {
            // Where everything is shown only once SQL has it, there is nothing to start without SQL.
            let waits = self.settings.durability == Durability::Database;
            let state = link.borrow_and_update().clone();
            match state {
                Link::Up => {
                    step.done();
                    return Ok(());
                }
                Link::Refused(problem) => {
                    step.failed(problem.clone());
                    return Err(StartError::Database(problem));
                }
                Link::Retired => {
                    let problem = "this server was retired, and another one has closed its requests. To begin anew, move its folder \
                                   tokens.wal away; what SQL had not taken from it stays in there";
                    step.failed(problem.to_owned());
                    return Err(StartError::Database(problem.to_owned()));
                }
                Link::Away(problem) if !waits => {
                    step.deferred(problem);
                    return Ok(());
                }
                Link::Connecting if !waits && started.elapsed() >= LINK_PATIENCE => {
                    step.deferred("it does not answer");
                    return Ok(());
                }
                // A migration may take long, and if it fails the start fails: so it is waited for.
                Link::Connecting | Link::Migrating | Link::Away(_) => {}
            }
            let left = LINK_PATIENCE.saturating_sub(started.elapsed());
            let pause = if left.is_zero() { PROGRESS_INTERVAL } else { left };
            if tokio::time::timeout(pause, link.changed()).await.is_err() && left.is_zero() {
                let state = link.borrow().clone();
                tracing::info!(
                    ?state,
                    elapsed_ms = started.elapsed().as_millis() as u64,
                    "boot: waiting for SQL"
                );
            }
        }
    }

    /// Looks for gaps in what has changed since the last clean check; whether it came to its end in time.
    async fn check_recent(&self, boot: &BootLog) -> bool {
        let step = boot.begin("consistency");
        if !matches!(*self.applier.watch_link().borrow(), Link::Up) {
            step.deferred("SQL is away");
            return false;
        }
        match tokio::time::timeout(CHECK_PATIENCE, self.check(Depth::Recent, Duration::ZERO)).await {
            Ok(Ok(_)) => {
                step.done();
                return true;
            }
            Ok(Err(error)) => step.deferred(error.to_string()),
            Err(_) => step.deferred("it takes long and goes on in the background"),
        }
        false
    }

    /// Before the first attempt, where SQL is there: it may know of switches that this data directory never saw.
    async fn hear_of_switches(&self) {
        if !matches!(*self.applier.watch_link().borrow(), Link::Up) {
            return;
        }
        let heard = tokio::time::timeout(SWITCHES_PATIENCE, self.switches.refresh(&*self.store)).await;
        if !matches!(heard, Ok(Ok(()))) {
            tracing::warn!("SQL does not say which providers are disabled; the copy of the last run counts");
        }
        let heard = tokio::time::timeout(SWITCHES_PATIENCE, calls::resume_breakers(self)).await;
        if !matches!(heard, Ok(Ok(()))) {
            tracing::warn!("SQL does not say which breakers were open; all start closed");
        }
    }

    async fn apply_backlog(&self, boot: &BootLog) {
        let step = boot.begin("apply");
        if !matches!(*self.applier.watch_link().borrow(), Link::Up) {
            step.deferred("SQL is away");
        } else if tokio::time::timeout(APPLY_PATIENCE, self.applier.catch_up()).await.is_ok() {
            step.done();
        } else {
            step.deferred(format!("{} records of the log are still to be applied", self.applier.backlog()));
        }
    }

    /// Closes or resumes what SQL and the log say is open. At boot, after the log had latched, and once more when SQL
    /// is there for the first time.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<(), RecoveryError> {
        let started = Instant::now();
        let _alone = self.recovering.lock().await;
        if self.settings.durability == Durability::Database {
            self.wait_for_sql().await?;
        }
        let linked = matches!(*self.applier.watch_link().borrow(), Link::Up);
        let log_places = self.log_places();
        if linked {
            self.succeed_former_logs().await?;
        }
        let retired_logs = if linked { self.retired_logs().await? } else { Vec::new() };
        let ground = Ground {
            previous_logs: &self.settings.previous_logs,
            retired_logs: &retired_logs,
            log_places: &log_places,
            store: linked.then_some(&*self.store),
            wal: &self.wal,
            hub: &self.hub,
            providers: &self.providers,
            journal: &self.journal,
            keys: &self.keys,
            applied: *self.applier.applied().borrow(),
            boundary: *self.boundary.lock(),
        };
        let recovered = recovery::recover(&ground, self.settings.resume_interrupted).await?;
        let (resumed, closed) = (recovered.resumed.len(), recovered.closed.len());
        for live in recovered.resumed {
            let reservation = self.take_up(&live);
            // Its client is cut off, and may ask again.
            self.orphans.note(Arc::clone(&live), self.clock.now());
            let going = Going {
                tickets: Tickets::default(),
                reservation,
                credential: None,
                _place: self.places.take_anyway(),
            };
            self.start(live, self.running.enter(), going);
        }
        for live in recovered.closed {
            if let (Some(reservation), Some((_, finished))) = (self.take_up(&live), live.state().finished()) {
                reservation.settle(finished);
            }
        }
        if linked {
            self.hub.is_whole_again();
        }
        let closed_for_retired = recovered.closed_for_retired;
        if resumed + closed + closed_for_retired + recovered.damaged > 0 {
            tracing::info!(
                resumed,
                closed,
                closed_for_retired,
                damaged = recovered.damaged,
                elapsed_ms = started.elapsed().as_millis() as u64,
                "requests that were interrupted are taken up again"
            );
        }
        Ok(())
    }

    /// Where everything is shown only once SQL has it, it is also taken up only then.
    async fn wait_for_sql(&self) -> Result<(), RecoveryError> {
        let mut caught_up = std::pin::pin!(self.applier.catch_up());
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut caught_up).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(RecoveryError::Latched),
                Err(_) => {
                    let (applied, durable) = (*self.applier.applied().borrow(), self.wal.progress().durable);
                    tracing::info!(applied = applied.0, of = durable.0, "applying what the log holds");
                }
            }
        }
    }

    /// Takes up what only SQL knows, once SQL is there: after a start without it, and after the log was opened anew without it.
    async fn recover_late(self: Arc<Self>) {
        let (mut incomplete, mut link) = (self.hub.watch_incomplete(), self.applier.watch_link());
        loop {
            let due = async {
                incomplete.wait_for(|incomplete| *incomplete).await.is_ok()
                    && link.wait_for(|link| matches!(link, Link::Up)).await.is_ok()
            };
            tokio::select! {
                () = self.stop_tasks.cancelled() => return,
                is_due = due => if !is_due { return },
            }
            // While the log cannot be written, its guard recovers.
            if self.accepting.is_open()
                && let Err(error) = self.recover().await
            {
                tracing::warn!(%error, "open requests cannot be recovered yet");
            }
            tokio::select! {
                () = self.stop_tasks.cancelled() => return,
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {}
            }
        }
    }

    /// The log was opened anew: what begins from now on belongs to the time after.
    pub(crate) fn move_boundary(&self, to: Position) {
        *self.boundary.lock() = to;
    }
}
