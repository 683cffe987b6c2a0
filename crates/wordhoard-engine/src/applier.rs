//! The applier: a tailing reader of the log that writes into SQL. Live, after an outage and at boot it is the same
//! code; the applied position in SQL says where to go on.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::{Batch, LogKey, Store};
use wordhoard_wal::{LogId, Position, ReadError, Reader, Record, State, Wal};

use crate::clock::Clock;
use crate::settings::{Durability, Settings};
use crate::{quarantine, record};

/// Bytes of the log that one transaction takes at most.
const BATCH_BYTES: usize = 4 << 20;
/// Once a transaction is due, it waits this long for more to come. Tokens of many requests lie on as many pages of the
/// database, and each transaction writes each page that it touches: with 200 streams ten times the transactions are
/// ten times the bytes.
const GATHER: Duration = Duration::from_millis(100);
/// Waits between tries while SQL is away.
const RETRY: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(10);
/// How often applied segments of the log are looked for, to be removed.
const RELEASE_INTERVAL: Duration = Duration::from_secs(5);

/// What the applier has to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Whether the last transaction went through.
    pub(crate) connected: bool,
    /// When the last one did.
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
    applied: watch::Sender<Position>,
    /// Records below this are applied without waiting for more.
    urgent: watch::Sender<Position>,
    report: Mutex<Report>,
}

impl Applier {
    pub(crate) fn new(
        wal: Wal,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        applied: Position,
    ) -> Self {
        let log = LogKey(wal.log_id().0);
        let report = Mutex::new(Report { connected: true, ..Report::default() });
        let (applied, urgent) = (watch::Sender::new(applied), watch::Sender::new(applied));
        Self { wal, store, clock, settings, log, applied, urgent, report }
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

    pub(crate) fn report(&self) -> Report {
        self.report.lock().clone()
    }

    /// Applies what becomes durable, until `stop`; then what is durable by then, and ends.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut progress = self.wal.watch();
        let mut reader = None;
        let mut released = Instant::now();
        loop {
            let stopping = self.wait_until_due(&mut progress, &stop).await;
            if self.backlog() > 0 {
                self.apply_next(&mut reader, &stop).await;
                if stop.is_cancelled() && !self.report.lock().connected {
                    tracing::warn!(
                        records = self.backlog(),
                        "SQL is away; the log keeps what it does not have yet"
                    );
                    return;
                }
            } else if stopping {
                return;
            }
            if released.elapsed() >= RELEASE_INTERVAL {
                released = Instant::now();
                self.release().await;
            }
        }
    }

    fn backlog(&self) -> u64 {
        self.wal.progress().durable.0.saturating_sub(self.applied.borrow().0)
    }

    fn is_due(&self) -> bool {
        self.is_urgent() || self.backlog() >= self.settings.flush_tokens
    }

    fn is_urgent(&self) -> bool {
        self.settings.durability == Durability::Database || *self.urgent.borrow() > *self.applied.borrow()
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
                if !self.is_urgent() {
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

    /// Applies the next batch, however long SQL is away.
    async fn apply_next(&self, reader: &mut Option<Reader>, stop: &CancellationToken) {
        let from = *self.applied.borrow();
        let mut wait = RETRY.start;
        let mut told = String::new();
        let mut batch = None;
        loop {
            let tried = match &batch {
                None => self.read(reader, from).await.map(|read| batch = Some(read)),
                Some(batch) => match self.apply(batch).await {
                    Ok(()) => {
                        self.applied.send_replace(Position(batch.through));
                        return;
                    }
                    Err(error) => Err(format!("SQL cannot be written: {error}")),
                },
            };
            let Err(problem) = tried else { continue };
            self.report.lock().connected = false;
            if problem != told {
                tracing::warn!(
                    problem,
                    waiting = self.backlog(),
                    "the log keeps everything until SQL has it; trying again"
                );
                told = problem;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY.end),
            }
        }
    }

    async fn apply(&self, batch: &Batch) -> Result<(), wordhoard_store::Error> {
        let started = Instant::now();
        let applied = self.store.apply(batch.clone()).await?;
        for conflict in &applied.conflicts {
            tracing::error!(request_id = %conflict.request_id, what = conflict.what, "SQL holds something else in the place of an event");
        }
        let mut report = self.report.lock();
        if !std::mem::replace(&mut report.connected, true) {
            tracing::info!("SQL can be written again");
        }
        report.last_write = Some(self.clock.now());
        report.last_flush_ms = started.elapsed().as_millis() as u64;
        report.conflicts += applied.conflicts.len() as u64;
        Ok(())
    }

    /// Reads and decodes the next batch, beside the async threads. Keeps the reader for the next one.
    async fn read(&self, reader: &mut Option<Reader>, from: Position) -> Result<Batch, String> {
        let (wal, kept) = (self.wal.clone(), reader.take().filter(|reader| reader.position() == from));
        let (log, quarantine_dir) = (self.log, self.settings.quarantine_dir.clone());
        let task = tokio::task::spawn_blocking(move || {
            let mut reader = match kept {
                Some(reader) => reader,
                None => wal.reader(from).map_err(|error| error.to_string())?,
            };
            let read = match reader.next_batch(BATCH_BYTES) {
                Ok(records) => decode(log, from, &records, &quarantine_dir, wal.log_id())?,
                Err(ReadError::Damaged { missing }) => {
                    tracing::error!(
                        from = missing.start.0,
                        to = missing.end.0,
                        "records of the log are damaged and lost"
                    );
                    // An empty batch moves the applied position over the hole.
                    let batch = Batch { log, from: from.0, through: missing.end.0, events: Vec::new() };
                    Read { batch, put_aside: missing.end.0 - missing.start.0 }
                }
                Err(error) => return Err(error.to_string()),
            };
            Ok((reader, read))
        });
        let read = task.await.unwrap_or_else(|_| Err("decoding failed".into()));
        let (used, read) = read.map_err(|problem| format!("the log cannot be read for SQL: {problem}"))?;
        *reader = Some(used);
        self.report.lock().quarantined += read.put_aside;
        Ok(read.batch)
    }

    /// Removes segments of the log that SQL has durably.
    async fn release(&self) {
        let applied = *self.applied.borrow();
        let complete = |segment: &wordhoard_wal::SegmentInfo| segment.complete && segment.end <= applied;
        if !self.wal.segments().iter().any(complete) {
            return;
        }
        if let Err(error) = self.store.make_durable().await {
            tracing::warn!(%error, "SQL could not be made durable; segments of the log are kept");
            return;
        }
        let wal = self.wal.clone();
        let released = tokio::task::spawn_blocking(move || wal.release(applied)).await;
        match released {
            Ok(Ok(released)) if released.segments > 0 => {
                tracing::info!(
                    segments = released.segments,
                    bytes = released.size_bytes,
                    "applied segments of the log were removed"
                );
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "applied segments of the log could not be removed"),
            Err(error) => tracing::error!(%error, "removing segments of the log failed"),
        }
    }
}

/// A batch as it was read.
struct Read {
    batch: Batch,
    /// Records that are not in it because they are damaged or unknown.
    put_aside: u64,
}

/// Decodes records. What cannot be decoded is kept aside first; if that fails, nothing is passed over.
fn decode(
    log: LogKey,
    from: Position,
    records: &[Record],
    quarantine_dir: &Path,
    log_id: LogId,
) -> Result<Read, String> {
    let mut events = Vec::with_capacity(records.len());
    let mut put_aside = 0;
    for found in records {
        match record::decode(found.kind, found.version, &found.payload) {
            Ok(event) => events.extend(event),
            Err(error) => {
                quarantine::keep(quarantine_dir, log_id, found)
                    .map_err(|failed| format!("record {} cannot be put aside: {failed}", found.position))?;
                tracing::error!(position = found.position.0, %error, "a record cannot be applied and was put aside");
                put_aside += 1;
            }
        }
    }
    let through = records.last().map_or(from.0, |last| last.position.0 + 1);
    Ok(Read { batch: Batch { log, from: from.0, through, events }, put_aside })
}
