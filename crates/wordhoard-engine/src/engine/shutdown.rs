//! The orderly end: no new prompts, a while for what runs, then its end is recorded, applied, and all is closed.

use std::time::{Duration, Instant};

use super::{Engine, Inner};

/// How long the log and then SQL may take to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the last events may take to become durable, and how often that is looked at.
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);
const SETTLE_INTERVAL: Duration = Duration::from_millis(2);
/// How long attempts may take to record that they were stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How long SQL may take for a last chance.
const APPLY_PATIENCE: Duration = Duration::from_secs(5);

impl Inner {
    pub(crate) fn is_draining(&self) -> bool {
        self.stop_tasks.is_cancelled() || self.draining.is_open()
    }
}

impl Engine {
    /// Refuses new prompts from now on. What runs goes on.
    pub fn begin_drain(&self) {
        self.inner.draining.open();
        self.inner.accepting.close();
    }

    /// Waits for what runs, at most so long; then stops it. What was stopped is recorded as interrupted and goes on
    /// at the next start.
    pub async fn drain(&self, timeout: Duration) {
        let started = Instant::now();
        let ran_out = tokio::time::timeout(timeout, self.inner.running.wait_until_none()).await.is_err();
        if ran_out {
            tracing::info!(
                running = self.inner.hub.running_count(),
                "the time to drain is over; requests are interrupted"
            );
            self.inner.stop.cancel();
            if tokio::time::timeout(STOP_PATIENCE, self.inner.running.wait_until_none()).await.is_err() {
                tracing::warn!("requests did not stop in time; recovery closes them at the next start");
            }
        }
        let settled = async {
            while !self.inner.journal.is_settled() {
                tokio::time::sleep(SETTLE_INTERVAL).await;
            }
        };
        if tokio::time::timeout(SETTLE_PATIENCE, settled).await.is_err() {
            tracing::warn!("the last events did not become durable in time");
        }
        tracing::info!(
            elapsed_ms = started.elapsed().as_millis() as u64,
            in_time = !ran_out,
            "requests have ended"
        );
    }

    /// Makes durable what was recorded, gives SQL a last chance, and closes both. Call it after the last reader.
    pub async fn close(&self) {
        let inner = &self.inner;
        if !matches!(tokio::time::timeout(APPLY_PATIENCE, inner.applier.catch_up()).await, Ok(true)) {
            tracing::warn!(
                "SQL did not catch up in time; the log has everything and is applied at the next start"
            );
        }
        inner.stop_tasks.cancel();
        let wal = inner.wal.clone();
        let closing = tokio::task::spawn_blocking(move || wal.close());
        if !matches!(tokio::time::timeout(CLOSE_PATIENCE, closing).await, Ok(Ok(()))) {
            tracing::error!("the log could not be closed in time; the next start recovers it");
        }
        if let Some(archiver) = &inner.archiver
            && !matches!(tokio::time::timeout(CLOSE_PATIENCE, archiver.step()).await, Ok(Ok(_)))
        {
            tracing::warn!("the archive does not have the end of the log; it follows at the next start");
        }
        if tokio::time::timeout(CLOSE_PATIENCE, inner.store.close()).await.is_err() {
            tracing::warn!("the database could not be closed in time");
        }
    }
}
