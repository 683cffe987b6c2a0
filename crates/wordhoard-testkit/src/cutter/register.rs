use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The connections by number, in the order in which they were accepted: 1, 2, …
#[derive(Debug, Default)]
pub(super) struct Register(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    accepted: u64,
    open: BTreeSet<u64>,
}

impl Register {
    /// A connection was accepted; its number.
    pub(super) fn open(&self) -> u64 {
        let mut entries = self.entries();
        entries.accepted += 1;
        let number = entries.accepted;
        entries.open.insert(number);
        number
    }

    /// Both its sockets are closed.
    pub(super) fn close(&self, number: u64) {
        self.entries().open.remove(&number);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.entries().accepted
    }

    /// Whether one up to that number is open.
    pub(super) fn has_open_through(&self, number: u64) -> bool {
        self.entries().open.first().is_some_and(|first| *first <= number)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
