//! Health, liveness and readiness. All answer from memory, so also while the database hangs.

mod document;
mod view;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use wordhoard_engine::{BootLog, Database, Storage};

use super::Surface;
use super::authorisation::is_administrator;
use document::{Health, StartHealth, StartServices};

/// How the server is.
///
/// An administrator's key is not needed; with it, what is wrong is told in words, too.
#[utoipa::path(get, path = "/api/health", tag = "operation", responses(
        (status = 200, description = "How it is", body = Health),
    ))]
pub(super) async fn health(State(surface): State<Surface>, headers: HeaderMap) -> Response {
    let engine = &surface.engine;
    let seen = view::Seen {
        status: engine.status(),
        consistency: engine.consistency(),
        counted: engine.counted(),
        providers: engine.provider_reports(),
        upkeep: surface.upkeep.now(),
        this_server: engine.log(),
        servers: engine.servers(),
        tell_problems: is_administrator(&surface, &headers),
    };
    no_store(Json(seen.into_health(engine.boot(), surface.clock.now().to_string())).into_response())
}

pub(super) fn of_a_start(boot: &BootLog, timestamp: String) -> StartHealth {
    StartHealth {
        status: "degraded",
        timestamp,
        db_ok: false,
        services: StartServices { boot: view::boot(boot) },
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "operation", responses(
        (status = 200, description = "It does", body = String),
    ))]
pub(super) async fn livez() -> Response {
    no_store("ok\n".into_response())
}

/// Whether a server is here, as clients of Anthropic's API ask before their first request.
#[utoipa::path(head, path = "/", tag = "operation", responses(
        (status = 200, description = "It is"),
    ))]
pub(super) async fn root() -> Response {
    no_store(StatusCode::OK.into_response())
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
        _ if status.database == Database::Retired => Some("this server was retired"),
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

pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
