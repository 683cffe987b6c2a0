//! Requests that another server has taken in just now, and that SQL does not have yet.

use std::time::Duration;

use wordhoard_model::RequestId;

use crate::engine::Inner;
use crate::history::ReadError;

/// A request that is younger may not be in SQL yet, though its server is well. A second is what tokens wait at most
/// (SPEC FD 3), the rest is for the transaction and for clocks.
const NEW: Duration = Duration::from_secs(3);
/// How often an unknown one is asked for again.
const NEW_PAUSE: Duration = Duration::from_millis(200);

impl Inner {
    /// Whether an unknown request may be so new that its server has not applied it yet.
    fn may_be_new_elsewhere(&self, id: RequestId) -> bool {
        let age_ms = self.clock.now().as_millis() - id.accepted_at().as_millis();
        let is_new = age_ms.unsigned_abs() < NEW.as_millis() as u64;
        is_new && self.fleet.has_others()
    }

    /// Asks again while the answer is that there is no such request, and another server may just have taken it in.
    pub(crate) async fn unless_new_elsewhere<T, F>(
        &self,
        id: RequestId,
        is_unknown: impl Fn(&T) -> bool,
        ask: impl Fn() -> F,
    ) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let mut changes = self.store.changes();
        loop {
            changes.mark_unchanged();
            let answer = ask().await?;
            if !is_unknown(&answer) || !self.may_be_new_elsewhere(id) {
                return Ok(answer);
            }
            drop(tokio::time::timeout(NEW_PAUSE, changes.changed()).await);
        }
    }
}
