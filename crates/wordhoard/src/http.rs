//! The HTTP surface: handlers parse, ask the engine, and answer. Wire shapes come from `wordhoard-wire`.

mod admin;
mod administration;
mod authorisation;
mod body;
mod booting;
mod check;
mod guard;
mod health;
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
use axum::http::StatusCode;
use axum::{Extension, Router, middleware};
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
use wordhoard_store::{Scope, Store};

use crate::access::{Access, FailedTries};
use crate::config::{Config, Limits};
use crate::selection::Catalogue;

/// What handlers need.
#[derive(Clone)]
pub(crate) struct Surface {
    pub(crate) engine: Engine,
    pub(crate) config: Arc<Config>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) access: Access,
    pub(crate) failed_tries: FailedTries,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_at: Timestamp,
    pub(crate) limits: Limits,
    /// Ends open streams: the server stops, the readers shall come back.
    pub(crate) disconnect: CancellationToken,
    pub(crate) administration: Administration,
}

/// All routes, each in the group of those who may use it.
pub(crate) fn router(surface: Surface, hosts: Arc<Hosts>) -> Router {
    let public = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz));
    let for_users = OpenApiRouter::new()
        .routes(routes!(prompt::submit))
        .routes(routes!(prompt::validate))
        .routes(routes!(stream::stream))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(requests::cancel))
        .routes(routes!(openapi::serve));
    let for_administrators = admin::routes().routes(routes!(check::start));
    let mut document = openapi::Document::openapi();
    let router = Router::new()
        .merge(authorisation::public(public, &mut document))
        .merge(authorisation::keyed(for_users, Scope::Use, &surface, &mut document))
        .merge(authorisation::keyed(for_administrators, Scope::Admin, &surface, &mut document));
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path"))
        .layer(Extension(Arc::new(document)))
        .layer(middleware::from_fn_with_state(Arc::clone(&hosts), guard::check_origin))
        .layer(middleware::from_fn_with_state(hosts, guard::check_host))
        .layer(middleware::from_fn(guard::close_behind_chunks))
        .layer(middleware::from_fn(guard::log_refusals))
        .with_state(surface)
}
