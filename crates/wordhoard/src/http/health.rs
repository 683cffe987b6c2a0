use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::{Status, Storage};

use super::Surface;

/// How the server is. Answers from memory, so also while the database hangs.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`, `degraded` or `shutting_down`.
    status: &'static str,
    timestamp: String,
    database: Database,
    /// Whether the last transaction went through.
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
    services: Services,
}

#[derive(Serialize, ToSchema)]
struct Database {
    connected: bool,
    last_check: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Services {
    storage: StorageHealth,
    shutdown: ShutdownHealth,
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

#[derive(Serialize, ToSchema)]
struct ShutdownHealth {
    shutdown_initiated: bool,
}

/// How the server is.
#[utoipa::path(get, path = "/api/health", tag = "operation", responses((status = 200, body = Health)))]
pub(super) async fn health(State(surface): State<Surface>) -> Response {
    let health = view(&surface.engine.status(), surface.clock.now().to_string());
    no_store(Json(health).into_response())
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

fn view(status: &Status, timestamp: String) -> Health {
    let healthy = status.accepting && status.db_ok && status.storage == Storage::Open;
    let last_db_write = status.last_db_write.map(|at| at.to_string());
    Health {
        status: match (status.draining, healthy && status.conflicts == 0 && status.quarantined == 0) {
            (true, _) => "shutting_down",
            (false, true) => "healthy",
            (false, false) => "degraded",
        },
        timestamp,
        database: Database { connected: status.db_ok, last_check: last_db_write.clone() },
        db_ok: status.db_ok,
        buffer_len: status.buffer_len,
        last_flush_ms: status.last_flush_ms,
        last_db_write,
        wal_size_bytes: status.wal_size_bytes,
        running_requests: status.running_requests,
        services: Services {
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
            shutdown: ShutdownHealth { shutdown_initiated: status.draining },
        },
    }
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
