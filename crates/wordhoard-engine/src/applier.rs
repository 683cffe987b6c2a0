//! The applier: a tailing reader of the log that writes into SQL. Live, after an outage and at boot it is the same
//! code; the applied position in SQL says where to go on.

mod link;
mod log_reader;
mod refused;
mod release;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use link::LinkError;
pub(crate) use link::{Found, Link, until_up};
use log_reader::{LogReader, Read};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::{Applied, Batch, Error, LogKey, Store};
use wordhoard_wal::{Position, State, Wal};

use crate::archiver::Archiver;
use crate::clock::Clock;
use crate::history::SqlAway;
use crate::log_index::LogIndex;
use crate::metrics::Metrics;
use crate::settings::{Durability, Settings};

/// Once a transaction is due, it waits this long for more to come. Tokens of many requests lie on as many pages of the
/// database, and each transaction writes each page that it touches: with 200 streams ten times the transactions are
/// ten times the bytes.
const GATHER: Duration = Duration::from_millis(100);
/// Records from which on there is nothing to wait for: a transaction is large anyway.
const LARGE_BACKLOG: u64 = 8_192;
/// Waits between tries while SQL is away.
const RETRY: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(10);
/// How often applied segments of the log are looked for, to be removed.
const RELEASE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a transaction may take before SQL counts as away.
const HANGS_AFTER: Duration = Duration::from_secs(3);
/// How long one transaction may take. Longer than a store's own limit; for one that does not keep it.
const APPLY_PATIENCE: Duration = Duration::from_secs(60);

/// What the applier has to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// When SQL last answered.
    pub(crate) last_answer: Option<Timestamp>,
    /// When the last transaction went through.
    pub(crate) last_write: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub(crate) last_flush_ms: u64,
    /// Events that said something else than SQL in their place.
    pub(crate) conflicts: u64,
    /// Records that could not be applied and were put aside, or were damaged in the log.
    pub(crate) quarantined: u64,
}

/// Writes the log into SQL.
#[derive(Debug)]
pub(crate) struct Applier {
    wal: Wal,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    log: LogKey,
    index: Arc<LogIndex>,
    archiver: Option<Arc<Archiver>>,
    /// Nothing of the log is let go: a restore reads it.
    holds_log: AtomicBool,
    metrics: Arc<Metrics>,
    sql_away: Arc<SqlAway>,
    /// Exclusive end of what is known to be in SQL. Before the first link that is what the log has let go.
    applied: watch::Sender<Position>,
    /// Records below this are applied without waiting for more.
    urgent: watch::Sender<Position>,
    link: watch::Sender<Link>,
    /// The end of the log as it was found, until SQL was reached for the first time.
    unlinked_end: Mutex<Option<Position>>,
    found: Mutex<Found>,
    report: Mutex<Report>,
}

impl Applier {
    pub(crate) fn new(
        wal: Wal,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        index: Arc<LogIndex>,
        archiver: Option<Arc<Archiver>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let log = LogKey(wal.log_id().0);
        let first = wal.usage().first;
        let report = Report { quarantined: settings.damaged_records, ..Report::default() };
        let unlinked_end = Mutex::new(Some(wal.progress().durable));
        Self {
            log,
            wal,
            store,
            clock,
            settings,
            index,
            archiver,
            holds_log: AtomicBool::new(false),
            metrics,
            sql_away: Arc::default(),
            applied: watch::Sender::new(first),
            urgent: watch::Sender::new(first),
            link: watch::Sender::new(Link::Connecting),
            unlinked_end,
            found: Mutex::default(),
            report: Mutex::new(report),
        }
    }

    /// Waits until SQL has all that was given to the log before. False where the log cannot make it durable.
    pub(crate) async fn catch_up(&self) -> bool {
        let end = self.wal.queued();
        self.urgent.send_if_modified(|urgent| std::mem::replace(urgent, end.max(*urgent)) < end);
        let (mut applied, mut progress) = (self.applied.subscribe(), self.wal.watch());
        tokio::select! {
            caught_up = applied.wait_for(|applied| *applied >= end) => caught_up.is_ok(),
            _ = progress.wait_for(|progress| matches!(progress.state, State::Latched(_))) => false,
        }
    }

    /// Exclusive end of what is in SQL.
    pub(crate) fn applied(&self) -> watch::Receiver<Position> {
        self.applied.subscribe()
    }

    /// The link to SQL.
    pub(crate) fn watch_link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    pub(crate) fn sql_away(&self) -> Arc<SqlAway> {
        Arc::clone(&self.sql_away)
    }

    pub(crate) fn report(&self) -> Report {
        self.report.lock().clone()
    }

    pub(crate) fn found(&self) -> Found {
        self.found.lock().clone()
    }

    /// Applies what becomes durable, until `stop`; then what is durable by then, and ends.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut progress = self.wal.watch();
        let mut reader = LogReader::new(self.wal.clone(), self.settings.quarantine_dir.clone());
        let mut released = Instant::now();
        let mut wait = RETRY.start;
        // A database that answers and refuses each transaction is not up, until one has gone through.
        let (mut linked, mut refuses) = (false, false);
        loop {
            let is_up = matches!(*self.link.borrow(), Link::Up);
            let applies = linked && (is_up || refuses);
            let done = if applies && refuses {
                self.apply_next(&mut reader).await.map(|()| false)
            } else if applies {
                self.apply_when_due(&mut reader, &mut progress, &stop).await
            } else {
                self.link().await.map(|()| false)
            };
            match done {
                Ok(true) => return,
                Ok(false) if applies => {
                    wait = RETRY.start;
                    // Whoever doubts SQL meanwhile is not contradicted by a wait that has ended.
                    if std::mem::take(&mut refuses) {
                        self.note_up();
                    }
                }
                Ok(false) => {
                    linked = true;
                    refuses = refuses && self.backlog() > 0;
                    if !refuses {
                        wait = RETRY.start;
                        self.note_up();
                    }
                }
                Err(error) => {
                    refuses = applies || refuses;
                    linked = false;
                    self.note_down(&error);
                    if stop.is_cancelled() {
                        tracing::warn!(
                            records = self.backlog(),
                            "SQL is away; the log keeps what it does not have yet"
                        );
                        return;
                    }
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY.end),
                    }
                }
            }
            if released.elapsed() >= RELEASE_INTERVAL && matches!(*self.link.borrow(), Link::Up) {
                released = Instant::now();
                self.release().await;
            }
        }
    }

    /// Keeps all of the log, or no longer.
    pub(crate) fn hold_log(&self, holds: bool) {
        self.holds_log.store(holds, Ordering::Release);
    }

    /// SQL has answered something else than the applier.
    pub(crate) fn note_answer(&self) {
        self.report.lock().last_answer = Some(self.clock.now());
    }

    /// SQL did not answer somebody else: the link is made anew.
    pub(crate) fn doubt(&self, error: Error) {
        self.note_down(&error.into());
    }

    fn note_up(&self) {
        self.sql_away.set(false);
        // Once per transaction, so whoever watches is woken only where it is news.
        let is_news = |link: &mut Link| !matches!(std::mem::replace(link, Link::Up), Link::Up);
        if self.link.send_if_modified(is_news) {
            tracing::info!(waiting = self.backlog(), "SQL can be written");
        }
    }

    fn note_down(&self, error: &LinkError) {
        self.sql_away.set(true);
        let (problem, needs_somebody) = (error.to_string(), error.needs_somebody());
        let told = match &*self.link.borrow() {
            Link::Away(told) | Link::Refused(told) => *told == problem,
            Link::Retired => true,
            Link::Connecting | Link::Migrating | Link::Up => false,
        };
        if !told {
            tracing::warn!(
                problem,
                waiting = self.backlog(),
                "SQL cannot be written; the log keeps everything until it can, trying again"
            );
        }
        self.link.send_replace(match error {
            LinkError::Store(Error::LogRetired) => Link::Retired,
            _ if needs_somebody => Link::Refused(problem),
            _ => Link::Away(problem),
        });
    }

    fn note_applied(&self, applied: Position) {
        self.index.events.release(applied);
        self.applied.send_replace(applied);
    }

    /// Events that are durable in the log and not in SQL.
    pub(crate) fn backlog(&self) -> u64 {
        self.index.events.count(*self.applied.borrow(), self.wal.progress().durable)
    }

    fn is_due(&self) -> bool {
        self.is_urgent() || self.backlog() >= self.settings.flush_tokens
    }

    fn is_urgent(&self) -> bool {
        self.settings.durability == Durability::Database || *self.urgent.borrow() > *self.applied.borrow()
    }

    /// One step while the link stands. True once the server stops and all is applied.
    async fn apply_when_due(
        &self,
        reader: &mut LogReader,
        progress: &mut watch::Receiver<wordhoard_wal::Progress>,
        stop: &CancellationToken,
    ) -> Result<bool, LinkError> {
        let stopping = self.wait_until_due(progress, stop).await;
        if self.backlog() == 0 {
            return Ok(stopping);
        }
        self.apply_next(reader).await?;
        Ok(false)
    }

    /// Waits for enough records, or for one that is old enough. Returns whether the server stops.
    async fn wait_until_due(
        &self,
        progress: &mut watch::Receiver<wordhoard_wal::Progress>,
        stop: &CancellationToken,
    ) -> bool {
        let mut deadline = None;
        let mut urgent = self.urgent.subscribe();
        loop {
            progress.borrow_and_update();
            if self.backlog() > 0 && self.is_due() {
                if !self.is_urgent() && self.backlog() < LARGE_BACKLOG {
                    tokio::time::sleep(GATHER).await;
                }
                return stop.is_cancelled();
            }
            if self.backlog() > 0 && deadline.is_none() {
                deadline = Some(tokio::time::Instant::now() + self.settings.flush_interval);
            }
            let idle = tokio::time::Instant::now() + RELEASE_INTERVAL;
            tokio::select! {
                () = stop.cancelled() => return true,
                () = tokio::time::sleep_until(deadline.unwrap_or(idle)) => return stop.is_cancelled(),
                changed = progress.changed() => if changed.is_err() { return true },
                _ = urgent.changed() => {}
            }
        }
    }

    async fn apply_next(&self, reader: &mut LogReader) -> Result<(), LinkError> {
        let from = *self.applied.borrow();
        let unreadable = |problem| Error::Unavailable(format!("the log cannot be read for SQL: {problem}"));
        let Read { batch, put_aside } = reader.batch(from).await.map_err(unreadable)?;
        self.report.lock().quarantined += put_aside;
        let started = Instant::now();
        let through = Position(batch.through);
        let applied = match self.apply_watched(batch).await {
            // Rare, so the batch is read once more instead of being kept each time.
            Err(Error::Refused(_)) => {
                let Read { batch, .. } = reader.batch(from).await.map_err(unreadable)?;
                self.apply_around_refused(batch).await?
            }
            applied => {
                let applied = applied?;
                self.note_applied(through);
                applied
            }
        };
        for conflict in &applied.conflicts {
            tracing::error!(request_id = %conflict.request_id, what = conflict.what, "SQL holds something else in the place of an event");
        }
        self.note_up();
        self.metrics.apply.observe(started.elapsed());
        let mut report = self.report.lock();
        let now = self.clock.now();
        (report.last_write, report.last_answer) = (Some(now), Some(now));
        report.last_flush_ms = started.elapsed().as_millis() as u64;
        report.conflicts += applied.conflicts.len() as u64;
        Ok(())
    }

    /// Applies a batch. A database that hangs is told long before the time limit: nobody else would notice.
    async fn apply_watched(&self, batch: Batch) -> Result<Applied, Error> {
        let mut call = std::pin::pin!(self.store.apply(batch));
        if let Ok(answer) = tokio::time::timeout(HANGS_AFTER, &mut call).await {
            return answer;
        }
        self.sql_away.set(true);
        tracing::warn!(
            waiting = self.backlog(),
            "SQL does not answer to a transaction; still waiting for it"
        );
        self.link.send_replace(Link::Away("a transaction gets no answer".into()));
        match tokio::time::timeout(APPLY_PATIENCE, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Unavailable("a transaction took too long".into())),
        }
    }
}
