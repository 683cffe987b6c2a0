use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use wordhoard_model::{RequestId, Seq, Timestamp};
use wordhoard_wal::{Position, State, Wal};

use super::LiveRequest;
use super::tail::{Tail, TailBudget};
use crate::clock::Clock;
use crate::log_index::LogIndex;
use crate::record::{self, Encoded};
use crate::settings::{Durability, Settings};

/// Events that may wait to become visible before producers have to wait, and for how long they do.
const MAX_WAITING: u64 = 50_000;
const WAITING_PAUSE: Duration = Duration::from_millis(5);

/// The way of events into the log: what is written but not yet visible waits here, in the order of the log.
#[derive(Debug)]
pub(crate) struct Journal {
    wal: Wal,
    pub(super) durability: Durability,
    tail_budget: Arc<TailBudget>,
    clock: Arc<dyn Clock>,
    index: Arc<LogIndex>,
    /// In the order of the log. Bounded by [`Journal::has_room`].
    waiting: Mutex<VecDeque<Waiting>>,
    /// How many events those are.
    waiting_events: AtomicU64,
}

/// A record whose events are not visible yet.
#[derive(Debug)]
struct Waiting {
    position: Position,
    request: Arc<LiveRequest>,
    events: u64,
    /// The visible end once they are visible.
    end: Seq,
    is_last: bool,
}

impl Journal {
    pub(crate) fn new(wal: Wal, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self {
            wal,
            durability: settings.durability,
            tail_budget: Arc::new(TailBudget::new(settings.tail_bytes)),
            clock,
            index: Arc::default(),
            waiting: Mutex::default(),
            waiting_events: AtomicU64::new(0),
        }
    }

    /// Waits while the log's queue is full, or too much waits to become visible: back-pressure towards the providers.
    pub(crate) async fn has_room(&self) -> Result<(), wordhoard_wal::AppendError> {
        self.wal.has_room().await?;
        // Only where visibility waits for SQL can this be long.
        while self.waiting_events.load(Ordering::Relaxed) > MAX_WAITING
            && matches!(self.wal.progress().state, State::Open)
        {
            tokio::time::sleep(WAITING_PAUSE).await;
        }
        Ok(())
    }

    /// The memory of a request that begins, or is taken up again.
    pub(super) fn tail(&self) -> Tail {
        Tail::new(Arc::clone(&self.tail_budget))
    }

    /// Where in the log requests begin.
    pub(crate) fn index(&self) -> &Arc<LogIndex> {
        &self.index
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Gives a record of so many events to the log, and to those that wait for the disk.
    ///
    /// Both under one lock, which publishing takes too: a commit that covers the record finds it waiting,
    /// however quick the disk is. Otherwise the last event of a quiet server could wait for ever.
    pub(super) fn append(
        &self,
        record: &Encoded,
        request: &Arc<LiveRequest>,
        events: u64,
        end: Seq,
        is_last: bool,
    ) -> Result<Position, wordhoard_wal::AppendError> {
        let mut waiting = self.waiting.lock();
        let position = self.wal.append(record.kind, record.version, &record.payload)?;
        if record.kind == record::KIND_REQUEST_CREATED {
            self.index.note(request.id(), position);
        }
        self.index.events.note(position, events);
        self.waiting_events.fetch_add(events, Ordering::Relaxed);
        waiting.push_back(Waiting { position, request: Arc::clone(request), events, end, is_last });
        Ok(position)
    }

    /// Makes visible what stands below `shown`.
    pub(super) fn publish(&self, shown: Position, mut on_last: impl FnMut(Position, RequestId)) {
        let mut due = Vec::new();
        let mut waiting = self.waiting.lock();
        while waiting.front().is_some_and(|record| record.position < shown) {
            due.extend(waiting.pop_front());
        }
        let events = due.iter().map(|record| record.events).sum();
        // Under the lock: whoever forgets what waits sets this to nothing.
        self.waiting_events.fetch_sub(events, Ordering::Relaxed);
        drop(waiting);
        for record in due {
            record.request.note_recorded(record.end);
            record.request.show(record.end, record.is_last);
            if record.is_last {
                on_last(record.position, record.request.id());
            }
        }
    }

    /// Whether all that was recorded is visible.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    /// Forgets what waits: the log has latched, it will never be durable.
    pub(crate) fn forget_waiting(&self) {
        let mut waiting = self.waiting.lock();
        self.waiting_events.store(0, Ordering::Relaxed);
        waiting.clear();
    }
}
