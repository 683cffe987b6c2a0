use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};

use super::Surface;
use super::health::no_store;
use crate::metrics::{self, Sources};

/// All figures of the server, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
        (status = 200, description = "Prometheus' text format, version 0.0.4", body = String),
    ))]
pub(super) async fn prometheus(State(surface): State<Surface>) -> Response {
    let page = metrics::page(&metrics::gather(&sources(&surface)));
    no_store(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response())
}

/// The same figures as JSON.
///
/// By name: a number where there is one figure of that name, else a list of objects with `labels`, and `value` or, for
/// durations, `count`, `sum` (in seconds) and `buckets` (how many took so many seconds or less).
#[utoipa::path(get, path = "/api/metrics", tag = "operation", responses(
        (status = 200, description = "Figures by their names", body = Object),
    ))]
pub(super) async fn json(State(surface): State<Surface>) -> Response {
    no_store(Json(metrics::document(&metrics::gather(&sources(&surface)))).into_response())
}

fn sources(surface: &Surface) -> Sources<'_> {
    Sources {
        engine: &surface.engine,
        http: &surface.http_metrics,
        upkeep: surface.upkeep.now(),
        limits: &surface.config.limits,
        started_at: surface.started_at,
    }
}
