//! The hub: the requests in memory, and the order in which their events become visible.
//!
//! An event takes its `seq` and its place in the log under one short lock of its request, so both orders agree. It is
//! visible once the log (or SQL, by setting) has it durably. Readers see visible events only, and a reader that is
//! slow costs the recording nothing: it has no queue, only a place.

mod journal;
mod live;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(crate) use journal::Journal;
pub(crate) use live::{AppendError, LiveRequest, Visible};
use parking_lot::Mutex;
use wordhoard_model::{RequestId, RequestStatus};
use wordhoard_wal::Position;

/// The requests in memory: those that run, and those that ended but are not in SQL yet.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    requests: Mutex<HashMap<RequestId, Arc<LiveRequest>>>,
    /// Ended requests with the position of their last event, in the order in which they ended.
    ended: Mutex<VecDeque<(Position, RequestId)>>,
}

impl Hub {
    pub(crate) fn insert(&self, live: Arc<LiveRequest>) {
        self.requests.lock().insert(live.id(), live);
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<Arc<LiveRequest>> {
        self.requests.lock().get(&id).cloned()
    }

    /// All of them, newest first.
    pub(crate) fn all(&self) -> Vec<Arc<LiveRequest>> {
        let mut all: Vec<_> = self.requests.lock().values().cloned().collect();
        all.sort_unstable_by_key(|live| std::cmp::Reverse(live.id()));
        all
    }

    pub(crate) fn running_count(&self) -> usize {
        let running = |live: &&Arc<LiveRequest>| live.status() == RequestStatus::Running;
        self.requests.lock().values().filter(running).count()
    }

    /// Shows what the journal holds below `shown`, and lets go what ended and is in SQL, that is below `applied`.
    /// Returns what was let go.
    pub(crate) fn advance(
        &self,
        journal: &Journal,
        shown: Position,
        applied: Position,
    ) -> Vec<Arc<LiveRequest>> {
        let mut ended = self.ended.lock();
        journal.publish(shown, |position, id| ended.push_back((position, id)));
        let mut let_go = Vec::new();
        while let Some((position, id)) = ended.front().copied()
            && position < applied
        {
            ended.pop_front();
            let_go.extend(self.requests.lock().remove(&id));
        }
        let_go
    }

    /// Ends all that is in memory because the log cannot record it: readers are told, tasks stop.
    pub(crate) fn break_all(&self) {
        self.ended.lock().clear();
        for (_, live) in self.requests.lock().drain() {
            live.break_off();
        }
    }
}
