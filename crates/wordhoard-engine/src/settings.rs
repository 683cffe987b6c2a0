use std::path::PathBuf;
use std::time::Duration;

use wordhoard_store::LogKey;

use crate::archiver::ArchiveSettings;

/// When an event may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once the local log has it on disk.
    #[default]
    Local,
    /// Once SQL has it, for fleets in which a machine may be lost together with its disk.
    Database,
    /// At once; the disk follows within a second. A crash may take back what was shown.
    Relaxed,
}

/// How the engine behaves. The defaults are those of SPEC.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When an event may be shown.
    pub durability: Durability,
    /// Whether requests that a crash or a stop interrupted go on at the next start, or are closed.
    pub resume_interrupted: bool,
    /// Requests that may run at the same time; past it new prompts are told to come back.
    pub max_running_requests: usize,
    /// Free bytes on the disk of the log below which new prompts are refused, so that running ones can go on.
    pub disk_reserve_bytes: u64,
    /// Bytes that the log may have on disk before new prompts are refused; unlimited but for the reserve if none.
    pub wal_limit_bytes: Option<u64>,
    /// Events of running requests that are kept in memory for readers that follow them, shared among the requests.
    /// Older ones are read from SQL. 30,000 are some 10 MiB.
    pub live_events: usize,
    /// How many tokens waiting for SQL start a transaction.
    pub flush_tokens: u64,
    /// How long a token waits for SQL at most before a transaction starts.
    pub flush_interval: Duration,
    /// How long a key against doubles counts.
    pub idempotency_window: Duration,
    /// Where records go that cannot be applied.
    pub quarantine_dir: PathBuf,
    /// Where the log is mirrored, if it is.
    pub archive: Option<ArchiveSettings>,
    /// Where a copy of the switches of providers is kept, for a start without SQL.
    pub switches_copy: Option<PathBuf>,
    /// Records of the log that were found damaged when it was opened; each is an alarm.
    pub damaged_records: u64,
    /// Logs that this server had before its present one. Requests that were open in them are this server's to end.
    pub previous_logs: Vec<LogKey>,
}

impl Settings {
    /// The defaults, with the folder for records that cannot be applied.
    pub fn new(quarantine_dir: impl Into<PathBuf>) -> Self {
        Self {
            durability: Durability::Local,
            resume_interrupted: true,
            max_running_requests: 1_000,
            disk_reserve_bytes: 1 << 30,
            wal_limit_bytes: None,
            live_events: 30_000,
            flush_tokens: 16,
            flush_interval: Duration::from_secs(1),
            idempotency_window: Duration::from_secs(24 * 60 * 60),
            quarantine_dir: quarantine_dir.into(),
            archive: None,
            switches_copy: None,
            damaged_records: 0,
            previous_logs: Vec::new(),
        }
    }
}
