use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Json;
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::Database;

use crate::http::Surface;
use crate::http::administration::Administrator;

/// The server as its operator sees it: what `/api/health` says, and what it keeps to itself.
#[derive(Serialize, ToSchema)]
pub(super) struct SystemStatus {
    version: &'static str,
    started_at: String,
    uptime_seconds: u64,
    listen: String,
    data_dir: String,
    /// Whether prompts need a key.
    require_keys: bool,
    /// Keys of the database that are known here.
    known_keys: usize,
    /// Whether new prompts are taken in.
    accepting: bool,
    draining: bool,
    running_requests: usize,
    database: DatabaseStatus,
    storage: StorageStatus,
    /// Each provider: `closed`, `open`, `half-open` or `disabled`.
    providers: BTreeMap<String, &'static str>,
    /// What SQL does not have yet, in events.
    buffer_len: u64,
}

#[derive(Serialize, ToSchema)]
struct DatabaseStatus {
    /// Its URL, without a password.
    url: String,
    /// `up`, `connecting`, `migrating`, `away` or `refused`.
    state: &'static str,
    /// Why it cannot be used.
    problem: Option<String>,
    schema_version: Option<u32>,
    last_answer_at: Option<String>,
    last_write_at: Option<String>,
    last_flush_ms: u64,
    /// Settings under which it may lose what it has committed, and what may happen.
    weak_settings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct StorageStatus {
    /// `open`, `full`, `latched` or `closed`.
    state: &'static str,
    wal_size_bytes: u64,
    commits: u64,
    last_commit_micros: u64,
    max_commit_micros: u64,
    /// Events that contradict SQL; each is an alarm.
    conflicts: u64,
    /// Records that were put aside; each is an alarm.
    quarantined: u64,
}

/// Show how the server is, with the reasons that health keeps to itself.
#[utoipa::path(
    get,
    path = "/api/admin/system/status",
    operation_id = "system_status",
    tag = "administration",
    responses(
        (status = 200, description = "The state of the whole", body = SystemStatus),
    )
)]
pub(super) async fn status(_: Administrator, State(surface): State<Surface>) -> Json<SystemStatus> {
    let status = surface.engine.status();
    let config = &surface.config;
    let states = surface.engine.provider_states();
    let problem = match &status.database {
        Database::Away(problem) | Database::Refused(problem) => Some(problem.clone()),
        Database::Up | Database::Connecting | Database::Migrating | Database::Retired => None,
    };
    let weak = status.weaknesses.iter();
    Json(SystemStatus {
        version: env!("CARGO_PKG_VERSION"),
        started_at: surface.started_at.to_string(),
        uptime_seconds: surface.clock.now().millis_since(surface.started_at) / 1_000,
        listen: config.listen.to_string(),
        data_dir: config.data_dir.display().to_string(),
        require_keys: config.require_keys,
        known_keys: surface.access.count(),
        accepting: status.accepting,
        draining: status.draining,
        running_requests: status.running_requests,
        database: DatabaseStatus {
            url: config.database.to_string(),
            state: status.database.as_str(),
            problem,
            schema_version: status.schema_version,
            last_answer_at: status.last_db_answer.map(|at| at.to_string()),
            last_write_at: status.last_db_write.map(|at| at.to_string()),
            last_flush_ms: status.last_flush_ms,
            weak_settings: weak.map(|one| format!("{} = {}: {}", one.setting, one.value, one.risk)).collect(),
        },
        storage: StorageStatus {
            state: status.storage.as_str(),
            wal_size_bytes: status.wal_size_bytes,
            commits: status.commits.commits,
            last_commit_micros: status.commits.last_commit_micros,
            max_commit_micros: status.commits.max_commit_micros,
            conflicts: status.conflicts,
            quarantined: status.quarantined,
        },
        providers: states.iter().map(|(name, state)| (name.as_str().to_owned(), state.as_str())).collect(),
        buffer_len: status.buffer_len,
    })
}
