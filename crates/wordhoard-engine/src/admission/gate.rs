use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
