use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// Whether prompts are accepted.
#[derive(Debug, Default)]
pub(crate) struct Accepting(AtomicBool);

impl Accepting {
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The places of requests that run. A prompt takes one before it is recorded, so that two at once never share the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<AtomicUsize>);

/// One of them; taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes a place, or says how many are taken where that is all of them.
    pub(crate) fn take(&self, all: usize) -> Result<Place, usize> {
        let free = |taken| (taken < all).then_some(taken + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).map(|_| Place(Arc::clone(&self.0)))
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Takes a place for a request that was accepted earlier, whether one is free or not.
    pub(crate) fn take_anyway(&self) -> Place {
        self.0.fetch_add(1, Ordering::AcqRel);
        Place(Arc::clone(&self.0))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts the tasks that may append to the log.
#[derive(Clone, Debug)]
pub(crate) struct Running(Arc<watch::Sender<usize>>);

/// One of them; counts until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningGuard(Arc<watch::Sender<usize>>);

impl Default for Running {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Running {
    pub(crate) fn enter(&self) -> RunningGuard {
        self.0.send_modify(|count| *count += 1);
        RunningGuard(Arc::clone(&self.0))
    }

    pub(crate) async fn wait_until_none(&self) {
        // The sender lives as long as we do, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|count| *count == 0).await);
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_never_get_more_places_than_there_are() {
        let places = Places::default();
        let old = places.take_anyway();
        let taken: Vec<Place> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..100).filter_map(|_| places.take(50).ok()).collect::<Vec<_>>()))
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!((taken.len(), places.take(50).err()), (49, Some(50)));
        drop(old);
        assert!(places.take(50).is_ok(), "a place is free again behind its request");
    }
}
