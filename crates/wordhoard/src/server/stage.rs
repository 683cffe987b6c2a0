use std::sync::{Arc, OnceLock};

use axum::Router;

/// Who answers: one router while the server starts, another one from then on. Looked up for each request, so that a
/// connection that was opened in the one is served by the other.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    starting: Router,
    started: Arc<OnceLock<Router>>,
}

impl Stage {
    pub(crate) fn new(starting: Router) -> Self {
        Self { starting, started: Arc::default() }
    }

    /// The start is over.
    pub(crate) fn enter(&self, started: Router) {
        // There is one start, so there is nothing to replace.
        drop(self.started.set(started));
    }

    pub(super) fn router(&self) -> Router {
        self.started.get().unwrap_or(&self.starting).clone()
    }
}
