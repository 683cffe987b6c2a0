use std::sync::atomic::Ordering;

use super::Applier;

impl Applier {
    /// Removes segments of the log that SQL has durably, and the archive if there is one.
    pub(super) async fn release(&self) {
        if self.holds_log.load(Ordering::Acquire) {
            return;
        }
        // What the archive lacks stays, too: it may be all that a restored backup needs.
        let archived = self.archiver.as_ref().map(|archiver| archiver.through());
        let applied = *self.applied.borrow();
        let applied = archived.map_or(applied, |archived| applied.min(archived));
        let complete = |segment: &wordhoard_wal::SegmentInfo| segment.complete && segment.end <= applied;
        if !self.wal.segments().iter().any(complete) {
            return;
        }
        if let Err(error) = self.store.make_durable().await {
            tracing::warn!(%error, "SQL could not be made durable; segments of the log are kept");
            return;
        }
        let wal = self.wal.clone();
        let released = tokio::task::spawn_blocking(move || wal.release(applied)).await;
        match released {
            Ok(Ok(released)) if released.segments > 0 => {
                self.index.release(self.wal.usage().first);
                tracing::info!(
                    segments = released.segments,
                    bytes = released.size_bytes,
                    "applied segments of the log were removed"
                );
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "applied segments of the log could not be removed"),
            Err(error) => tracing::error!(%error, "removing segments of the log failed"),
        }
    }
}
