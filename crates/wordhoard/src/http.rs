//! The HTTP surface: handlers parse, ask the engine, and answer. Wire shapes come from `wordhoard-wire`.

mod admin;
mod administration;
mod asker;
mod authorisation;
mod backups;
mod body;
mod booting;
mod check;
mod entrance;
mod front;
mod guard;
mod health;
mod layer_problems;
mod maintenance;
mod metrics;
mod observe;
mod openapi;
mod problem;
mod prompt;
mod prompt_body;
mod query;
mod rate_headers;
mod request_path;
mod requests;
mod server_view;
mod silence;
mod stream;
mod unread_body;

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

pub(crate) use admin::limits_of_key;
pub(crate) use administration::Administration;
use axum::{Router, middleware};
pub(crate) use body::Bodies;
pub(crate) use booting::router as booting_router;
use entrance::Entrance;
pub(crate) use guard::Hosts;
use problem::{Problem, ProblemKind};
pub(crate) use prompt_body::parse as parse_prompt;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wordhoard_engine::{Clock, Engine};
use wordhoard_model::Timestamp;
use wordhoard_store::{Scope, Store};

use crate::access::{Access, FailedTries};
use crate::backup::BackupService;
use crate::config::Config;
use crate::lifecycle::RestartHandle;
use crate::maintenance::Maintenance;
use crate::metrics::HttpMetrics;
use crate::selection::Catalogue;
use crate::upkeep::UpkeepSource;

/// What handlers need, shared by all of them.
#[derive(Clone)]
pub(crate) struct Surface(Arc<Services>);

/// What it is made of.
pub(crate) struct Services {
    pub(crate) engine: Engine,
    pub(crate) config: Arc<Config>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) access: Access,
    pub(crate) failed_tries: FailedTries,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bodies: Bodies,
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
    /// The OpenAPI document, once there are routes.
    pub(crate) document: OnceLock<openapi::Served>,
}

impl Deref for Surface {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl Surface {
    pub(crate) fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    /// Makes a backup; what it has led to, or why there is none.
    pub(crate) fn backup_job<T>(
        &self,
        tell: T,
    ) -> impl Future<Output = Result<serde_json::Value, String>> + Send + use<T>
    where
        T: Fn(wordhoard_backup::Phase) + Send + Sync,
    {
        let (backups, engine, clock) = (self.backups.clone(), self.engine.clone(), Arc::clone(&self.clock));
        async move {
            let made = backups.make(&**engine.store(), clock.now(), &tell).await;
            let made = made.map_err(|error| error.to_string())?;
            tracing::info!(backup = made.manifest.name, expired = made.expired.len(), "a backup was made");
            Ok(made.json())
        }
    }
}

/// All routes, each in the group of those who may use it.
pub(crate) fn router(surface: Surface, hosts: Arc<Hosts>) -> Router {
    let public = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::root));
    let for_users = OpenApiRouter::new()
        .routes(routes!(prompt::submit))
        .routes(routes!(prompt::validate))
        .routes(routes!(stream::stream))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(requests::cancel))
        .routes(routes!(openapi::serve))
        .merge(front::routes());
    let for_scrapers =
        OpenApiRouter::new().routes(routes!(metrics::prometheus)).routes(routes!(metrics::json));
    let for_administrators = admin::routes()
        .routes(routes!(check::start))
        .routes(routes!(maintenance::prune))
        .routes(routes!(maintenance::rotate))
        .routes(routes!(backups::make))
        .routes(routes!(backups::list))
        .routes(routes!(backups::restore));
    let mut document = openapi::Document::openapi();
    let router = Router::new()
        .merge(authorisation::public(public, &mut document))
        .merge(authorisation::keyed(for_users, Scope::Use, &surface, &mut document))
        .merge(authorisation::keyed(for_scrapers, Scope::Metrics, &surface, &mut document))
        .merge(authorisation::keyed(for_administrators, Scope::Admin, &surface, &mut document));
    layer_problems::add(&mut document);
    openapi::take_null_from_parameters(&mut document);
    surface.document.get_or_init(|| openapi::Served::of(&document, &surface.catalogue));
    // Each test of the server thereby tests the document. A release build does without: no answer costs more there.
    let router = match cfg!(debug_assertions) {
        true => router.route_layer(middleware::from_fn_with_state(Arc::new(document), problem::check_told)),
        false => router,
    };
    let (clock, metrics) = (Arc::clone(&surface.clock), Some(Arc::clone(&surface.http_metrics)));
    let entrance = Arc::new(Entrance { hosts, clock, metrics });
    router
        .fallback(async || Problem::new(ProblemKind::NotFound, "there is nothing at this path"))
        .layer(middleware::from_fn_with_state(entrance, entrance::pass))
        .with_state(surface)
}
