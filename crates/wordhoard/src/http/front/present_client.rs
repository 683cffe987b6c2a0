use wordhoard_engine::Engine;
use wordhoard_model::RequestId;

use crate::http::Surface;

/// The client that an answer is for. Dropped before it has it all, it is gone, and may ask the same again.
pub(super) struct PresentClient {
    engine: Engine,
    id: RequestId,
    has_it_all: bool,
}

impl PresentClient {
    pub(super) fn new(surface: &Surface, id: RequestId) -> Self {
        Self { engine: surface.engine.clone(), id, has_it_all: false }
    }

    /// It has got the end of its answer, whatever that is.
    pub(super) fn has_it_all(&mut self) {
        self.has_it_all = true;
    }
}

impl Drop for PresentClient {
    fn drop(&mut self) {
        if !self.has_it_all {
            self.engine.note_client_gone(self.id);
        }
    }
}
