use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

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
pub struct Calls(Arc<Mutex<Vec<ReceivedCall>>>);

const MAX_CALLS: usize = 10_000;

impl Calls {
    pub(super) fn all(&self) -> Vec<ReceivedCall> {
        self.lock().clone()
    }

    /// Adds a call and gives its place.
    pub(super) fn add(&self, call: ReceivedCall) -> usize {
        let mut calls = self.lock();
        if calls.len() < MAX_CALLS {
            calls.push(call);
            return calls.len() - 1;
        }
        usize::MAX
    }

    pub(super) fn end(&self, place: usize, aborted_by_peer: bool) {
        if let Some(call) = self.lock().get_mut(place) {
            call.ended = true;
            call.aborted_by_peer = aborted_by_peer;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ReceivedCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
