use std::sync::Arc;

use axum::response::{IntoResponse, Json, Response};
use utoipa::OpenApi;

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
    )
)]
pub(super) struct Document;

pub(super) async fn serve(document: Arc<utoipa::openapi::OpenApi>) -> Response {
    Json(&*document).into_response()
}
