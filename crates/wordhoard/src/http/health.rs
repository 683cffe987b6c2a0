use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::consistency::ConsistencyStatus;
use wordhoard_engine::{BootLog, BootStep, Database as DatabaseState, Status, Storage};
use wordhoard_store::Weakness;

use super::Surface;
use crate::shutdown::ShutdownHealth;

/// How the server is. Answers from memory, so also while the database hangs.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`, `degraded` or `shutting_down`.
    status: &'static str,
    timestamp: String,
    database: Database,
    /// Whether SQL can be used.
    db_ok: bool,
    /// Events accepted and not yet in SQL.
    buffer_len: u64,
    /// How long the last transaction took.
    last_flush_ms: u64,
    /// When it was, if there was one since the start.
    last_db_write: Option<String>,
    /// Bytes of the write-ahead log on disk, with what is reserved ahead.
    wal_size_bytes: u64,
    running_requests: usize,
    /// Whether SQL lacks what it should have, or has what it should not; nothing until a check has told.
    token_gap: Option<bool>,
    services: Services,
}

#[derive(Serialize, ToSchema)]
struct Database {
    connected: bool,
    /// When it last answered.
    last_check: Option<String>,
    /// `up`, `connecting`, `migrating`, `away`, or `refused`: it is there and must not be used, see the log.
    state: &'static str,
    schema_version: Option<u32>,
    /// Settings of the database under which it may lose what it has committed.
    weak_settings: Vec<WeakSetting>,
}

#[derive(Serialize, ToSchema)]
struct WeakSetting {
    setting: &'static str,
    value: String,
}

#[derive(Serialize, ToSchema)]
struct Services {
    boot: BootHealth,
    consistency: ConsistencyHealth,
    storage: StorageHealth,
    shutdown: ShutdownHealth,
}

/// How the start went.
#[derive(Serialize, ToSchema)]
struct BootHealth {
    /// How long it took, once it is over.
    ready_after_ms: Option<u64>,
    steps: Vec<BootStepHealth>,
}

#[derive(Serialize, ToSchema)]
struct BootStepHealth {
    name: &'static str,
    /// `running`, `done`, `deferred` (the server went on without it) or `failed`.
    state: &'static str,
    elapsed_ms: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct ConsistencyHealth {
    /// As `token_gap`.
    token_gaps_detected: Option<bool>,
    /// How much was found; 0 where nothing was checked, too.
    finding_count: u64,
    /// When the last check began that came to its end.
    last_check: Option<String>,
    /// The newest try did not come to its end, so what is said here is older.
    last_check_failed: bool,
}

#[derive(Serialize, ToSchema)]
struct StorageHealth {
    /// `open`, `full`, `latched` or `closed`.
    state: &'static str,
    /// Commits of the log since the start.
    commits: u64,
    /// How long the last one took, in microseconds.
    last_commit_micros: u64,
    /// Events that contradict SQL; each is an alarm.
    conflicts: u64,
    /// Records that could not be applied and were put aside; each is an alarm.
    quarantined: u64,
}

/// How the server is.
#[utoipa::path(get, path = "/api/health", tag = "operation", responses((status = 200, body = Health)))]
pub(super) async fn health(State(surface): State<Surface>) -> Response {
    let engine = &surface.engine;
    let mut health =
        view(&engine.status(), engine.boot(), &engine.consistency(), surface.clock.now().to_string());
    health.services.shutdown = surface.shutdown.health();
    no_store(Json(health).into_response())
}

/// What can be said while the server starts.
#[derive(Serialize)]
pub(super) struct StartHealth {
    status: &'static str,
    timestamp: String,
    db_ok: bool,
    services: StartServices,
}

#[derive(Serialize)]
struct StartServices {
    boot: BootHealth,
}

pub(super) fn of_a_start(boot: &BootLog, timestamp: String) -> StartHealth {
    StartHealth {
        status: "degraded",
        timestamp,
        db_ok: false,
        services: StartServices { boot: boot_health(boot) },
    }
}

fn boot_health(boot: &BootLog) -> BootHealth {
    let step = |step: &BootStep| BootStepHealth {
        name: step.name,
        state: step.state.as_str(),
        elapsed_ms: step.elapsed_ms,
    };
    BootHealth { ready_after_ms: boot.ready_after_ms(), steps: boot.steps().iter().map(step).collect() }
}

fn consistency_health(consistency: &ConsistencyStatus) -> ConsistencyHealth {
    let reports = [&consistency.whole, &consistency.recent].into_iter().flatten();
    ConsistencyHealth {
        token_gaps_detected: consistency.token_gap,
        finding_count: reports.map(|report| report.finding_count).max().unwrap_or(0),
        last_check: consistency.last_check.map(|at| at.to_string()),
        last_check_failed: consistency.last_problem.is_some(),
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, description = "It does", body = String)))]
pub(super) async fn livez() -> Response {
    no_store("ok\n".into_response())
}

/// Whether new prompts are taken in: not while booting, draining, or while the log cannot be written.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "They are", body = String),
        (status = 503, description = "They are not; the body says why", body = String),
    )
)]
pub(super) async fn readyz(State(surface): State<Surface>) -> Response {
    let status = surface.engine.status();
    let reason = match (status.draining, status.storage, status.accepting) {
        (true, _, _) => Some("draining"),
        (_, Storage::Latched, _) => Some("the log cannot be written"),
        (_, Storage::Full, _) => Some("the disk of the log is full"),
        (_, Storage::Closed, _) | (_, _, false) => Some("starting or stopping"),
        (false, Storage::Open, true) => None,
    };
    no_store(match reason {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    })
}

fn view(status: &Status, boot: &BootLog, consistency: &ConsistencyStatus, timestamp: String) -> Health {
    let db_ok = status.database == DatabaseState::Up;
    let storage_ok = status.accepting && status.storage == Storage::Open;
    let sound = status.conflicts == 0
        && status.quarantined == 0
        && status.weaknesses.is_empty()
        && consistency.token_gap != Some(true);
    Health {
        status: match (status.draining, db_ok && storage_ok && sound) {
            (true, _) => "shutting_down",
            (false, true) => "healthy",
            (false, false) => "degraded",
        },
        timestamp,
        database: Database {
            connected: db_ok,
            last_check: status.last_db_answer.map(|at| at.to_string()),
            state: match status.database {
                DatabaseState::Up => "up",
                DatabaseState::Connecting => "connecting",
                DatabaseState::Migrating => "migrating",
                DatabaseState::Away(_) => "away",
                DatabaseState::Refused(_) => "refused",
            },
            schema_version: status.schema_version,
            weak_settings: status.weaknesses.iter().map(weak_setting).collect(),
        },
        db_ok,
        buffer_len: status.buffer_len,
        last_flush_ms: status.last_flush_ms,
        last_db_write: status.last_db_write.map(|at| at.to_string()),
        wal_size_bytes: status.wal_size_bytes,
        running_requests: status.running_requests,
        token_gap: consistency.token_gap,
        services: Services {
            boot: boot_health(boot),
            consistency: consistency_health(consistency),
            storage: StorageHealth {
                state: match status.storage {
                    Storage::Open => "open",
                    Storage::Full => "full",
                    Storage::Latched => "latched",
                    Storage::Closed => "closed",
                },
                commits: status.commits.commits,
                last_commit_micros: status.commits.last_commit_micros,
                conflicts: status.conflicts,
                quarantined: status.quarantined,
            },
            shutdown: ShutdownHealth::default(),
        },
    }
}

fn weak_setting(weakness: &Weakness) -> WeakSetting {
    WeakSetting { setting: weakness.setting, value: weakness.value.clone() }
}

pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
