//! What an administrator may do to the log and to what is stored.

use std::time::Duration;

use wordhoard_store::Error;
use wordhoard_wal::SegmentInfo;

use super::Engine;
use crate::retention::{self, PruneReport};

/// How long a rotation waits for a record, with which the fresh segment begins.
const ROTATION_PATIENCE: Duration = Duration::from_millis(500);
const ROTATION_INTERVAL: Duration = Duration::from_millis(5);

/// What asking for a fresh segment of the log has led to.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The segments at first.
    pub before: Vec<SegmentInfo>,
    /// The segments at last. Without a new one among them it begins with the next record, or the current one held none.
    pub after: Vec<SegmentInfo>,
}

impl Engine {
    /// Removes requests older than so many days, see [`retention::prune`].
    ///
    /// # Errors
    /// Where SQL cannot be asked or written.
    pub async fn prune(&self, retention_days: u32, dry_run: bool) -> Result<PruneReport, Error> {
        let (store, now) = (&*self.inner.store, self.inner.clock.now());
        if dry_run {
            return retention::prunable(store, now, retention_days).await;
        }
        let report = retention::prune(store, now, retention_days).await?;
        let PruneReport { requests, tokens, partitions, longest_transaction_ms, elapsed_ms, .. } = report;
        tracing::info!(
            before = %report.before,
            requests,
            tokens,
            partitions,
            longest_transaction_ms,
            elapsed_ms,
            "old requests were pruned"
        );
        Ok(report)
    }

    /// Begins a fresh segment of the log, at its next record. Waits a moment for that.
    pub async fn rotate_log(&self) -> Rotation {
        let wal = &self.inner.wal;
        let before = wal.segments();
        wal.rotate();
        let newest = |segments: &[SegmentInfo]| segments.last().map(|segment| segment.first);
        let rotated = async {
            while newest(&wal.segments()) == newest(&before) {
                tokio::time::sleep(ROTATION_INTERVAL).await;
            }
        };
        // Where nothing is recorded, nothing begins; the answer shows it.
        drop(tokio::time::timeout(ROTATION_PATIENCE, rotated).await);
        Rotation { after: wal.segments(), before }
    }
}
