use crate::Position;

/// What the log holds on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Segment files.
    pub segments: usize,
    /// Bytes of all segments and of the one reserved ahead.
    pub size_bytes: u64,
    /// False while the next segment could not be made for lack of space (or another fault): the log goes on in
    /// the current one, and new work should be refused before it breaks what runs.
    pub reserved: bool,
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
}

impl CommitStats {
    pub(crate) fn note(&mut self, records: u32, bytes: u64, micros: u64) {
        self.commits += 1;
        self.records += u64::from(records);
        self.bytes += bytes;
        self.last_commit_micros = micros;
        self.max_commit_micros = self.max_commit_micros.max(micros);
    }
}
