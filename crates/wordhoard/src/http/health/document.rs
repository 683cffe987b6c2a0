//! The shape of the answer (SPEC FD 6).

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` or `shutting_down`.
    pub(super) status: &'static str,
    pub(super) timestamp: String,
    /// By name: `closed` (it is called), `open` (it fails and is not called), `half-open` (it is being tried) or
    /// `disabled`.
    pub(super) providers: BTreeMap<String, &'static str>,
    /// The models that were called in the last hour, as `provider:model`, each with the state of its breaker; for administrators
    /// only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) models: Option<BTreeMap<String, &'static str>>,
    /// Providers of which a key has no credit left.
    pub(super) out_of_credit: Vec<String>,
    pub(super) database: Database,
    /// Whether SQL can be used.
    pub(super) db_ok: bool,
    /// Tokens (and the events around them) accepted and not yet in SQL.
    pub(super) buffer_len: u64,
    /// How long the last transaction took.
    pub(super) last_flush_ms: u64,
    /// When it was, if there was one since the start.
    pub(super) last_db_write: Option<String>,
    /// Bytes of the write-ahead log on disk, with what is reserved ahead.
    pub(super) wal_size_bytes: u64,
    pub(super) running_requests: usize,
    /// Whether SQL lacks what it should have, or has what it should not; nothing until a check has told.
    pub(super) token_gap: Option<bool>,
    pub(super) metrics: Figures,
    pub(super) services: Services,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Database {
    pub(super) connected: bool,
    /// When it last answered.
    pub(super) last_check: Option<String>,
    /// `up`, `connecting`, `migrating`, `away`, `refused`: it is there and must not be used, see the log; or `retired`: it takes
    /// nothing from this server any more.
    pub(super) state: &'static str,
    pub(super) schema_version: Option<u32>,
    /// Settings of the database under which it may lose what it has committed.
    pub(super) weak_settings: Vec<WeakSetting>,
    /// What is wrong with it; for administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct WeakSetting {
    pub(super) setting: &'static str,
    pub(super) value: String,
}

/// What SQL holds, counted once a minute; nothing where SQL could not be asked since the start.
#[derive(Serialize, ToSchema)]
pub(super) struct Figures {
    pub(super) counted_at: Option<String>,
    pub(super) requests: RequestFigures,
    pub(super) tokens: TokenFigures,
    pub(super) providers: BTreeMap<String, ProviderFigures>,
}

#[derive(Default, Serialize, ToSchema)]
pub(super) struct RequestFigures {
    pub(super) total: Option<u64>,
    pub(super) last_24h: Option<u64>,
    pub(super) completed: Option<u64>,
}

#[derive(Default, Serialize, ToSchema)]
pub(super) struct TokenFigures {
    /// Of requests that have ended.
    pub(super) total: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ProviderFigures {
    pub(super) attempt_count: u64,
    /// Of those that have ended.
    pub(super) avg_duration_seconds: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Services {
    pub(super) boot: BootHealth,
    pub(super) consistency: ConsistencyHealth,
    pub(super) storage: StorageHealth,
    pub(super) recovery: RecoveryHealth,
    pub(super) servers: ServersHealth,
    pub(super) retention: RetentionHealth,
    pub(super) backup: BackupHealth,
    pub(super) shutdown: ShutdownHealth,
}

/// How the start went.
#[derive(Serialize, ToSchema)]
pub(super) struct BootHealth {
    /// How long it took, once it is over.
    pub(super) ready_after_ms: Option<u64>,
    pub(super) steps: Vec<StepHealth>,
}

/// A step of a start or a stop.
#[derive(Serialize, ToSchema)]
pub(super) struct StepHealth {
    pub(super) name: &'static str,
    /// `running`, `done`, `deferred` (the server went on without it), `failed`, or `timed_out`.
    pub(super) state: &'static str,
    pub(super) elapsed_ms: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ConsistencyHealth {
    /// As `token_gap`.
    pub(super) token_gaps_detected: Option<bool>,
    /// How much was found; 0 where nothing was checked, too.
    pub(super) finding_count: u64,
    /// When the last check began that came to its end.
    pub(super) last_check: Option<String>,
    /// The newest try did not come to its end, so what is said here is older.
    pub(super) last_check_failed: bool,
    /// Why it did not; for administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct StorageHealth {
    /// `open`, `full`, `latched` or `closed`.
    pub(super) state: &'static str,
    /// Commits of the log since the start.
    pub(super) commits: u64,
    /// How long the last one took, in microseconds.
    pub(super) last_commit_micros: u64,
    /// Events that contradict SQL; each is an alarm.
    pub(super) conflicts: u64,
    /// Records that could not be applied and were put aside; each is an alarm.
    pub(super) quarantined: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryHealth {
    /// Requests may be open in the database that are not taken up yet; they are once it can be asked.
    pub(super) due: bool,
    /// Requests that a fault of the log has cut off and that are not taken up yet.
    pub(super) waiting_requests: usize,
}

/// The servers on the database, this one included.
#[derive(Serialize, ToSchema)]
pub(super) struct ServersHealth {
    /// By which it is known to the others.
    pub(super) this_server_id: String,
    pub(super) running: usize,
    /// Those that do not go on with their requests: start them again, or retire them.
    pub(super) absent: Vec<AbsentServer>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AbsentServer {
    pub(super) server_id: String,
    /// `gone`, `stopped` (with requests that are open), or `retired` (its requests are being closed).
    pub(super) state: &'static str,
    pub(super) silent_seconds: u64,
    pub(super) open_requests: u64,
    /// Where it was called; for administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RetentionHealth {
    /// As `wal_size_bytes`.
    pub(super) wal_file_size: u64,
    /// Backups that are kept, once they were counted.
    pub(super) backup_count: Option<u64>,
    /// When what was too old was last removed.
    pub(super) last_prune: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct BackupHealth {
    /// When the newest good backup was made.
    pub(super) last_backup_time: Option<String>,
    pub(super) last_backup_size_bytes: Option<u64>,
    /// Whether the newest try failed.
    pub(super) last_backup_failed: Option<bool>,
    /// Records of the log that the archive does not have yet.
    pub(super) archive_lag_records: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ShutdownHealth {
    pub(super) shutdown_initiated: bool,
    pub(super) steps: Vec<StepHealth>,
}

/// What can be said while the server starts.
#[derive(Serialize)]
pub(crate) struct StartHealth {
    pub(super) status: &'static str,
    pub(super) timestamp: String,
    pub(super) db_ok: bool,
    pub(super) services: StartServices,
}

#[derive(Serialize)]
pub(super) struct StartServices {
    pub(super) boot: BootHealth,
}
