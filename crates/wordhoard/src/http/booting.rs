//! What the server answers while it starts: how far it is, and to all else that it is not ready yet.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, head};
use wordhoard_engine::{BootLog, Clock};
use wordhoard_model::Timestamp;

use super::entrance::{self, Entrance};
use super::guard::Hosts;
use super::health;
use super::problem::Problem;
use crate::metrics;

#[derive(Clone)]
struct Start {
    boot: BootLog,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
}

pub(crate) fn router(boot: BootLog, clock: Arc<dyn Clock>, hosts: Arc<Hosts>) -> Router {
    let started_at = clock.now();
    let entrance = Entrance { hosts, clock: Arc::clone(&clock), metrics: None };
    Router::new()
        .route("/", head(health::root))
        .route("/livez", get(health::livez))
        .route("/readyz", get(readyz))
        .route("/api/health", get(report))
        .route("/metrics", get(figures))
        .fallback(async || Problem::starting())
        .layer(middleware::from_fn_with_state(Arc::new(entrance), entrance::pass))
        .with_state(Start { boot, clock, started_at })
}

async fn readyz(State(start): State<Start>) -> Response {
    let steps = start.boot.steps();
    let step = steps.last().map_or("start", |step| step.name);
    health::no_store(
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: starting ({step})\n")).into_response(),
    )
}

async fn report(State(start): State<Start>) -> Response {
    health::no_store(Json(health::of_a_start(&start.boot, start.clock.now().to_string())).into_response())
}

/// What Prometheus finds while the server starts: it is there, and not ready.
async fn figures(State(start): State<Start>) -> Response {
    let page = metrics::page(&metrics::of_a_start(start.started_at));
    health::no_store(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response())
}
