//! The HTTP surface: handlers parse, ask the engine, and answer. Wire shapes come from `wordhoard-wire`.

mod administration;
mod backups;
mod body;
mod booting;
mod check;
mod guard;
mod health;
mod maintenance;
mod metrics;
mod observe;
mod openapi;
mod problem;
mod prompt;
mod prompt_body;
mod query;
mod request_path;
mod requests;
mod stream;

use std::sync::Arc;

pub(crate) use administration::Administration;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
pub(crate) use booting::router as booting_router;
pub(crate) use guard::Hosts;
use problem::Problem;
pub(crate) use prompt_body::parse as parse_prompt;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wordhoard_engine::{Clock, Engine};
use wordhoard_model::Timestamp;

use crate::backup::BackupService;
use crate::config::Limits;
use crate::lifecycle::RestartHandle;
use crate::maintenance::Maintenance;
use crate::metrics::HttpMetrics;
use crate::selection::Catalogue;
use crate::upkeep::UpkeepSource;

/// What handlers need.
#[derive(Clone)]
pub(crate) struct Surface {
    pub(crate) engine: Engine,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    /// Ends open streams: the server stops, the readers shall come back.
    pub(crate) disconnect: CancellationToken,
    pub(crate) administration: Administration,
    pub(crate) backups: BackupService,
    pub(crate) maintenance: Maintenance,
    /// How long requests are kept, in days.
    pub(crate) retention_days: u32,
    /// For what needs the server to be started anew.
    pub(crate) restart: RestartHandle,
    pub(crate) http_metrics: Arc<HttpMetrics>,
    pub(crate) upkeep: UpkeepSource,
    /// When the server started.
    pub(crate) started_at: Timestamp,
}

impl Surface {
    /// Makes a backup; what it has led to, or why there is none.
    pub(crate) fn backup_job(
        &self,
    ) -> impl Future<Output = Result<serde_json::Value, String>> + Send + use<> {
        let (backups, engine, clock) = (self.backups.clone(), self.engine.clone(), Arc::clone(&self.clock));
        async move {
            let made = backups.make(&**engine.store(), clock.now(), &|_| {}).await;
            let made = made.map_err(|error| error.to_string())?;
            tracing::info!(backup = made.manifest.name, expired = made.expired.len(), "a backup was made");
            Ok(made.json())
        }
    }
}

/// All routes.
pub(crate) fn router(surface: Surface, hosts: Arc<Hosts>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(prompt::submit))
        .routes(routes!(prompt::validate))
        .routes(routes!(stream::stream))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(requests::cancel))
        .routes(routes!(health::health))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::prometheus))
        .routes(routes!(metrics::json))
        .routes(routes!(check::start))
        .routes(routes!(maintenance::prune))
        .routes(routes!(maintenance::rotate))
        .routes(routes!(administration::operation))
        .routes(routes!(backups::make))
        .routes(routes!(backups::list))
        .routes(routes!(backups::restore))
        .split_for_parts();
    let document = Arc::new(document);
    router
        .route("/openapi.json", get(move || openapi::serve(Arc::clone(&document))))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            let detail = "this path does not take that method";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
        })
        .layer(middleware::from_fn_with_state(hosts, guard::check_host))
        .layer(middleware::from_fn(guard::log_refusals))
        .layer(middleware::from_fn_with_state(Arc::clone(&surface.http_metrics), observe::observe))
        .with_state(surface)
}
