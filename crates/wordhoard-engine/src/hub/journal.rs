use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use wordhoard_model::{RequestId, Seq, Timestamp};
use wordhoard_wal::{Position, Wal};

use super::LiveRequest;
use crate::clock::Clock;
use crate::settings::{Durability, Settings};

/// The way of events into the log: what is written but not yet visible waits here, in the order of the log.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) wal: Wal,
    pub(super) durability: Durability,
    pub(super) window_events: usize,
    clock: Arc<dyn Clock>,
    /// As long as the queue of the log at most, since only events that are not durable wait.
    waiting: Mutex<VecDeque<Waiting>>,
}

/// An event that is not visible yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) position: Position,
    pub(super) request: Arc<LiveRequest>,
    /// The visible end once this event is visible.
    pub(super) end: Seq,
    pub(super) is_last: bool,
}

impl Journal {
    pub(crate) fn new(wal: Wal, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self {
            wal,
            durability: settings.durability,
            window_events: settings.live_window_events,
            clock,
            waiting: Mutex::default(),
        }
    }

    /// Waits while the log's queue is full: back-pressure towards the providers.
    pub(crate) async fn has_room(&self) -> Result<(), wordhoard_wal::AppendError> {
        self.wal.has_room().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn wait_for_disk(&self, waiting: Waiting) {
        self.waiting.lock().push_back(waiting);
    }

    /// Makes visible what stands below `shown`.
    ///
    /// Two requests may enter their events in the other order than the log has them. Then the later one waits for
    /// the next commit, which is under way already, since its event was written after.
    pub(super) fn publish(&self, shown: Position, mut on_last: impl FnMut(Position, RequestId)) {
        let mut due = Vec::new();
        let mut waiting = self.waiting.lock();
        while waiting.front().is_some_and(|event| event.position < shown) {
            due.extend(waiting.pop_front());
        }
        drop(waiting);
        for event in due {
            event.request.show(event.end, event.is_last);
            if event.is_last {
                on_last(event.position, event.request.id());
            }
        }
    }

    /// Whether all that was recorded is visible.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    /// Forgets what waits: the log has latched, it will never be durable.
    pub(crate) fn forget_waiting(&self) {
        self.waiting.lock().clear();
    }
}
