use crate::Position;

/// What the log holds on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Segment files.
    pub segments: usize,
    /// Bytes of all segments and of the one reserved ahead.
    pub size_bytes: u64,
    /// False while the next segment could not be made, or not as large as was asked for, for lack of space (or another
    /// fault): the log goes on in the current one, and new work should be refused before it breaks what runs.
    pub reserved: bool,
    /// Bytes that can be written without asking the file system for more.
    pub reserved_bytes: u64,
    /// Bytes free on the file system; 0 if it does not say.
    pub free_bytes: u64,
    /// First position still held.
    pub first: Position,
}

/// What [`Wal::release`](crate::Wal::release) removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Segment files removed.
    pub segments: usize,
    /// Bytes they took.
    pub size_bytes: u64,
    /// First position still held.
    pub first: Position,
}

/// One segment file, for archiving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// File name in the log's directory.
    pub name: String,
    /// First position.
    pub first: Position,
    /// Exclusive end of its durable records.
    pub end: Position,
    /// Size of the file.
    pub size_bytes: u64,
    /// True if nothing more is written to it.
    pub complete: bool,
}

/// Commits since the log was opened. A commit is one write and one fdatasync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitStats {
    /// Batches made durable.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes written for them.
    pub bytes: u64,
    /// Microseconds that the last commit took, from the write to the end of the fdatasync.
    pub last_commit_micros: u64,
    /// The longest so far.
    pub max_commit_micros: u64,
    /// All together, in microseconds.
    pub total_commit_micros: u64,
    /// How many took so long: a bucket for each of [`COMMIT_BOUNDS_MICROS`], and one for what is beyond.
    pub buckets: [u64; COMMIT_BOUNDS_MICROS.len() + 1],
}

/// Upper bounds of the buckets for a commit, in microseconds, each within its bucket. An SSD takes a tenth of a
/// millisecond to some, a disk that turns tens, one in trouble seconds.
pub const COMMIT_BOUNDS_MICROS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

impl CommitStats {
    pub(crate) fn note(&mut self, records: u32, bytes: u64, micros: u64) {
        self.commits += 1;
        self.records += u64::from(records);
        self.bytes += bytes;
        self.last_commit_micros = micros;
        self.max_commit_micros = self.max_commit_micros.max(micros);
        self.total_commit_micros += micros;
        let bucket = COMMIT_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }
}
