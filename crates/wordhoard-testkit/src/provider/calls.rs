use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{Dialect, agent};

/// One request as it came, and how it ended.
#[derive(Clone, Debug)]
pub struct ReceivedCall {
    /// The model that was asked for.
    pub model: String,
    /// The last user message.
    pub prompt: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Where it came from; calls over one connection have the same.
    pub peer: SocketAddr,
    /// The path that was asked, with its query.
    pub path: String,
    /// The dialect that it belongs to.
    pub dialect: Dialect,
    /// When it had come whole.
    pub at: Instant,
    /// How many calls of the same model came before it; for a coding agent, of the same turn.
    pub nth: usize,
    /// The whole body.
    pub body: Value,
    /// Whether the caller closed the connection before the answer ended.
    pub aborted_by_peer: bool,
    /// Whether the answer ended, in whatever way its model ends.
    pub ended: bool,
}

impl ReceivedCall {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The log of calls. A bench makes many: past 10,000 no more are kept.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Log>>, Arc<Notify>);

#[derive(Debug, Default)]
struct Log {
    calls: Vec<ReceivedCall>,
    /// By model, and for a coding agent by turn.
    counts: HashMap<(String, Option<usize>), usize>,
    running: usize,
    most_running: usize,
    is_down: bool,
    refused: usize,
}

const MAX_CALLS: usize = 10_000;

impl Calls {
    pub(super) fn all(&self) -> Vec<ReceivedCall> {
        self.lock().calls.clone()
    }

    /// The most that ran at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.lock().most_running
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
        if is_down {
            self.1.notify_waiters();
        }
    }

    /// Ends when it goes down.
    pub(super) fn until_down(&self) -> Notified<'_> {
        self.1.notified()
    }

    /// Whether whoever comes now is to be refused; it is counted then.
    pub(super) fn refuses(&self) -> bool {
        let mut log = self.lock();
        log.refused += usize::from(log.is_down);
        log.is_down
    }

    /// How many were refused while it was down.
    pub(super) fn refused(&self) -> usize {
        self.lock().refused
    }

    /// Adds a call and gives its place; the call learns which of its model it is.
    pub(super) fn add(&self, call: &mut ReceivedCall) -> usize {
        let mut log = self.lock();
        let key = (call.model.clone(), agent::turn_of(&call.model, &call.body));
        let count = log.counts.entry(key).or_default();
        call.nth = *count;
        *count += 1;
        log.running += 1;
        log.most_running = log.most_running.max(log.running);
        if log.calls.len() < MAX_CALLS {
            log.calls.push(call.clone());
            return log.calls.len() - 1;
        }
        usize::MAX
    }

    pub(super) fn end(&self, place: usize, aborted_by_peer: bool) {
        let mut log = self.lock();
        log.running = log.running.saturating_sub(1);
        if let Some(call) = log.calls.get_mut(place) {
            call.ended = true;
            call.aborted_by_peer = aborted_by_peer;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
