//! The hub: the requests in memory, and the order in which their events become visible.
//!
//! An event takes its `seq` and its place in the log under one short lock of its request, so both orders agree. It is
//! visible once the log (or SQL, by setting) has it durably. Readers see visible events only, and a reader that is
//! slow costs the recording nothing: it has no queue, only a place.

mod journal;
mod live;
mod tail;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

pub(crate) use journal::Journal;
pub(crate) use live::{AppendError, LiveRequest, Visible};
use parking_lot::Mutex;
use tokio::sync::watch;
use wordhoard_model::RequestId;
use wordhoard_wal::Position;

use crate::admission::OwnedKey;

/// Ended requests whose events stay in memory until SQL has them.
const ENDED_WITH_EVENTS: usize = 64;
/// Ended requests that stay in memory at all until SQL has them; of older ones, readers find the events in the log.
const ENDED_IN_MEMORY: usize = 1_024;

/// The requests in memory: those that run, and those that ended but are not in SQL yet.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    requests: Mutex<HashMap<RequestId, Arc<LiveRequest>>>,
    /// Ended requests with the position of their last event, in the order in which they ended. Taken before
    /// `requests`, never after.
    ended: Mutex<VecDeque<(Position, RequestId)>>,
    /// Keys of requests that are not in memory and not in SQL, with a position at which SQL has the key.
    keys_not_applied: Mutex<VecDeque<(Position, RequestId, OwnedKey)>>,
    /// While recovery is due, a request that is not here may come back: that it does not exist cannot be said.
    incomplete: watch::Sender<bool>,
    /// Requests that the log could not record any more and that recovery has not taken up yet.
    broken_off: Mutex<HashSet<RequestId>>,
}

impl Hub {
    pub(crate) fn insert(&self, live: Arc<LiveRequest>) {
        let mut requests = self.requests.lock();
        self.broken_off.lock().remove(&live.id());
        requests.insert(live.id(), live);
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

    /// How many run.
    pub(crate) fn running_count(&self) -> usize {
        let ended = self.ended.lock();
        self.requests.lock().len().saturating_sub(ended.len())
    }

    /// Shows what the journal holds below `shown`, and lets go what ended and is in SQL, that is below `applied`.
    /// Returns the keys that SQL knows from now on.
    pub(crate) fn advance(
        &self,
        journal: &Journal,
        shown: Position,
        applied: Position,
    ) -> Vec<(RequestId, OwnedKey)> {
        let mut ended = self.ended.lock();
        let ended_before = ended.len();
        journal.publish(shown, |position, id| ended.push_back((position, id)));
        let newly_ended = ended.len() - ended_before;
        let mut keys = self.keys_not_applied.lock();
        let mut requests = self.requests.lock();
        while let Some((position, id)) = ended.front().copied()
            && (position < applied || ended.len() > ENDED_IN_MEMORY)
        {
            ended.pop_front();
            let key = requests.remove(&id).and_then(|live| live.idempotency());
            keys.extend(key.map(|key| (position, id, key)));
        }
        drop(requests);
        let mut known = Vec::new();
        while keys.front().is_some_and(|(position, ..)| *position < applied) {
            known.extend(keys.pop_front().map(|(_, id, key)| (id, key)));
        }
        self.forget_events_of_old_ones(&ended, newly_ended);
        known
    }

    /// Keeps the key of a request that is not in memory, until SQL has what stands at this position.
    pub(crate) fn keep_key(&self, position: Position, id: RequestId, key: OwnedKey) {
        self.keys_not_applied.lock().push_back((position, id, key));
    }

    /// While SQL is away, ended requests gather here. Their events are in the log; memory must not keep them.
    fn forget_events_of_old_ones(&self, ended: &VecDeque<(Position, RequestId)>, newly_ended: usize) {
        let old = ended.len().saturating_sub(ENDED_WITH_EVENTS);
        // Those further in front were forgotten when they came to stand here.
        for (_, id) in ended.range(old.saturating_sub(newly_ended)..old) {
            if let Some(live) = self.requests.lock().get(id) {
                live.forget_events();
            }
        }
    }

    /// Ends all that runs because the log cannot record it: readers are told, tasks stop. What has visibly ended
    /// stays.
    pub(crate) fn break_all(&self) {
        self.note_incomplete();
        let ended: HashSet<_> = self.ended.lock().iter().map(|(_, id)| *id).collect();
        self.requests.lock().retain(|id, live| {
            let has_ended = ended.contains(id);
            if !has_ended {
                live.break_off();
                self.broken_off.lock().insert(*id);
            }
            has_ended
        });
    }

    /// Recovery is due.
    pub(crate) fn note_incomplete(&self) {
        self.incomplete.send_replace(true);
    }

    /// Recovery has brought back what there is.
    pub(crate) fn is_whole_again(&self) {
        self.broken_off.lock().clear();
        self.incomplete.send_replace(false);
    }

    /// Whether what is neither here nor in SQL does not exist.
    pub(crate) fn is_whole(&self) -> bool {
        !*self.incomplete.borrow()
    }

    /// Whether recovery is due, and when that changes.
    pub(crate) fn watch_incomplete(&self) -> watch::Receiver<bool> {
        self.incomplete.subscribe()
    }

    /// How many requests wait for recovery, as far as this run of the server knows them.
    pub(crate) fn waiting_for_recovery(&self) -> usize {
        self.broken_off.lock().len()
    }
}
