use wordhoard_model::Timestamp;
use wordhoard_wal::CommitStats;

/// Whether what comes in can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// It can.
    Open,
    /// The disk is too full for new prompts; what runs goes on.
    Full,
    /// The log could not be written or synced. Nothing is accepted until it can be again.
    Latched,
    /// The server has stopped.
    Closed,
}

/// How the engine is, for health and readiness. Cheap to ask.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether prompts are accepted: not while booting, draining, or without a log.
    pub accepting: bool,
    /// Whether the server drains.
    pub draining: bool,
    /// The state of the log.
    pub storage: Storage,
    /// Requests that run.
    pub running_requests: usize,
    /// Events that are accepted and not yet in SQL.
    pub buffer_len: u64,
    /// Bytes that the log has on disk, the segment reserved ahead included.
    pub wal_size_bytes: u64,
    /// Commits of the log since the start.
    pub commits: CommitStats,
    /// Whether the last transaction in SQL went through.
    pub db_ok: bool,
    /// When it did.
    pub last_db_write: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub last_flush_ms: u64,
    /// Events that said something else than SQL in their place; each is an alarm.
    pub conflicts: u64,
    /// Records that could not be applied and were put aside; each is an alarm.
    pub quarantined: u64,
}
