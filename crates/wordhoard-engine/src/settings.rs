use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use wordhoard_model::{KeyId, KeyLimits, ModelRef, ProviderName};
use wordhoard_store::{LogKey, ServerProfile};

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
    /// How many bytes of its newest events a request keeps in memory for readers that follow it; older ones are read from the log or
    /// from SQL. Where many requests hold much, each holds less.
    pub tail_bytes: usize,
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
    /// What keys may use, as far as it is known at the start.
    pub key_limits: HashMap<KeyId, KeyLimits>,
    /// Records of the log that were found damaged when it was opened; each is an alarm.
    pub damaged_records: u64,
    /// How providers are called.
    pub calls: CallSettings,
    /// How long a call of a drop-in API goes on that nobody follows; for ever if none.
    pub client_gone_grace: Option<Duration>,
    /// Logs that this server had before its present one. Requests that were open in them are this server's to end.
    pub previous_logs: Vec<LogKey>,
    /// What this server says of itself to the others on the database.
    pub profile: ServerProfile,
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
            tail_bytes: 256 << 10,
            flush_tokens: 16,
            flush_interval: Duration::from_secs(1),
            idempotency_window: Duration::from_secs(24 * 60 * 60),
            quarantine_dir: quarantine_dir.into(),
            archive: None,
            switches_copy: None,
            key_limits: HashMap::new(),
            damaged_records: 0,
            calls: CallSettings::default(),
            client_gone_grace: None,
            previous_logs: Vec::new(),
            profile: ServerProfile::default(),
        }
    }
}

/// How providers are called, so that neither they nor we are overrun (SPEC FD 2, FD 5).
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// Calls of native prompts to a provider that may run at the same time; others have [`CallSettings::OTHER_CONCURRENCY`].
    pub concurrency: BTreeMap<ProviderName, usize>,
    /// The same of the drop-in APIs.
    pub drop_in_concurrency: BTreeMap<ProviderName, usize>,
    /// Calls to one provider that may wait for their turn; past it prompts are told to come back.
    pub queue_limit: usize,
    /// How long a call waits for its turn.
    pub queue_patience: Duration,
    /// When a provider that fails is left alone.
    pub breaker: BreakerSettings,
    /// Providers that are part of this process: there is nothing to be left alone, so they have no breaker.
    pub without_breaker: BTreeSet<ProviderName>,
    /// When a call is tried again.
    pub retry: RetrySettings,
    /// Who answers in the place of a model that fails, in this order.
    pub fallback: Vec<ModelRef>,
    /// How long a lane waits before it calls a fallback: chosen between these, so that the lanes of a provider that
    /// fails do not all arrive at once.
    pub fallback_jitter: (Duration, Duration),
}

/// When a provider that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Consecutive failed calls, of at least two requests, that open it; 0 for never.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub open_for: Duration,
}

/// When a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// How often at most, for one model of a lane.
    pub max: u32,
    /// The longest rest that a provider may ask for and that a lane without another candidate waits for.
    pub longest_wait: Duration,
    /// Retries of one provider as a share of its recent calls.
    pub budget_share: f64,
    /// Retries of one provider in a minute that are allowed whatever the share.
    pub budget_floor: u32,
}

impl CallSettings {
    /// Calls that may run at the same time, to a provider of which nothing else is said.
    pub const OTHER_CONCURRENCY: usize = 64;
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            concurrency: BTreeMap::new(),
            drop_in_concurrency: BTreeMap::new(),
            queue_limit: 256,
            queue_patience: Duration::from_secs(60),
            breaker: BreakerSettings { failures: 3, open_for: Duration::from_secs(30) },
            without_breaker: BTreeSet::new(),
            retry: RetrySettings {
                max: 3,
                longest_wait: Duration::from_secs(60),
                budget_share: 0.2,
                budget_floor: 10,
            },
            fallback: Vec::new(),
            fallback_jitter: (Duration::from_secs(1), Duration::from_secs(3)),
        }
    }
}
