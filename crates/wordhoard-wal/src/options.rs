use std::time::Duration;

use crate::format;

/// How a log is kept. Values out of range are moved to the nearest possible one.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most bytes reserved for a segment; at least 8 KiB.
    pub segment_size_bytes: u64,
    /// Bytes reserved for the first segments of a log. Each later one has twice those of the one before, up to
    /// [`segment_size_bytes`](Options::segment_size_bytes): a small log takes little space.
    pub first_segment_size_bytes: u64,
    /// Bytes queued or being written past which [`Wal::has_room`](crate::Wal::has_room) waits.
    pub queue_limit_bytes: usize,
    /// Most bytes in one batch, which is one write and one fdatasync; at most 16 MiB. A single larger record
    /// still makes a batch of its own.
    pub batch_limit_bytes: usize,
    /// When what is queued is written and synced.
    pub sync: SyncPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size_bytes: 100 << 20,
            first_segment_size_bytes: 8 << 20,
            queue_limit_bytes: 8 << 20,
            batch_limit_bytes: 4 << 20,
            sync: SyncPolicy::EveryBatch,
        }
    }
}

impl Options {
    pub(crate) fn within_bounds(mut self) -> Self {
        self.segment_size_bytes =
            self.segment_size_bytes.max(2 * format::FIRST_BATCH_OFFSET).next_multiple_of(8);
        let least = (2 * format::FIRST_BATCH_OFFSET).next_multiple_of(8);
        self.first_segment_size_bytes =
            self.first_segment_size_bytes.next_multiple_of(8).clamp(least, self.segment_size_bytes);
        self.batch_limit_bytes = self.batch_limit_bytes.clamp(4 << 10, format::MAX_RECORD_SIZE_BYTES);
        self.queue_limit_bytes = self.queue_limit_bytes.max(1);
        self
    }
}

/// When what is queued becomes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// As soon as the previous batch is durable. No timer: the fsync in flight is the window in which the next
    /// batch gathers.
    EveryBatch,
    /// When `records` wait, or the oldest has waited for `max_delay`, or a batch is full.
    Grouped {
        /// Records waiting that trigger a batch.
        records: u32,
        /// Longest wait of the oldest record.
        max_delay: Duration,
    },
}
