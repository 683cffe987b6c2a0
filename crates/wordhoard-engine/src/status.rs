use wordhoard_model::Timestamp;
use wordhoard_store::Weakness;
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

/// Whether SQL can be used. The reasons are for the operator, not for the public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// It can.
    Up,
    /// It was not reached yet.
    Connecting,
    /// Its schema is being changed.
    Migrating,
    /// It cannot be reached or used now.
    Away(String),
    /// It is there and must not be used; somebody has to do something.
    Refused(String),
    /// It takes nothing from this server any more: somebody has retired it.
    Retired,
}

impl Storage {
    /// Its stable name, as health shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Full => "full",
            Self::Latched => "latched",
            Self::Closed => "closed",
        }
    }
}

impl Database {
    /// Its stable name, as health shows it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Connecting => "connecting",
            Self::Migrating => "migrating",
            Self::Away(_) => "away",
            Self::Refused(_) => "refused",
            Self::Retired => "retired",
        }
    }
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
    /// Whether recovery is due: what is open in SQL, or was cut off by a fault of the log, is not all taken up.
    pub recovery_due: bool,
    /// Requests that a fault of the log has cut off and that are not taken up yet.
    pub waiting_for_recovery: usize,
    /// Events that are accepted and not yet in SQL.
    pub buffer_len: u64,
    /// Bytes that the log has on disk, the segment reserved ahead included.
    pub wal_size_bytes: u64,
    /// Bytes that are free on the disk of the log; 0 where it does not say.
    pub disk_free_bytes: u64,
    /// Commits of the log since the start.
    pub commits: CommitStats,
    /// Whether SQL can be used.
    pub database: Database,
    /// The version of its schema, once it was reached.
    pub schema_version: Option<u32>,
    /// Settings under which SQL may lose what it has committed.
    pub weaknesses: Vec<Weakness>,
    /// When SQL last answered.
    pub last_db_answer: Option<Timestamp>,
    /// When the last transaction went through.
    pub last_db_write: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub last_flush_ms: u64,
    /// Events that said something else than SQL in their place; each is an alarm.
    pub conflicts: u64,
    /// Records that could not be applied and were put aside; each is an alarm.
    pub quarantined: u64,
}
