use std::sync::Arc;

use axum::extract::Extension;
use axum::response::{IntoResponse, Json, Response};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The name of the one security scheme.
pub(super) const BEARER: &str = "bearer";

/// The document's head; its paths come from the routes themselves, so a route cannot be forgotten.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Wordhoard",
        description = "One prompt to many models, every token kept, any stream resumed.",
        license(name = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "prompts", description = "Submitting prompts"),
        (name = "requests", description = "Reading, following and stopping requests"),
        (name = "operation", description = "Health and readiness"),
        (name = "drop-in", description = "The APIs of OpenAI and Anthropic"),
        (name = "administration", description = "Keys, providers, requests, the log, maintenance"),
    ),
    modifiers(&Bearer)
)]
pub(super) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme(BEARER, scheme);
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn serve(Extension(document): Extension<Arc<utoipa::openapi::OpenApi>>) -> Response {
    Json(&*document).into_response()
}
