use axum::extract::State;
use axum::response::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Surface;
use crate::http::administration::Administrator;

/// Who answers in the place of a model that fails, unless a request says otherwise.
#[derive(Serialize, ToSchema)]
pub(super) struct FallbackQueue {
    queue: Vec<FallbackModel>,
}

/// One of them, in the order in which they are asked.
#[derive(Serialize, ToSchema)]
pub(super) struct FallbackModel {
    /// As `provider:model`.
    model: String,
    /// Whether its provider is called now: it is enabled, and its breaker is not open.
    callable: bool,
}

/// Show who answers in the place of a model that fails.
#[utoipa::path(
    get,
    path = "/api/admin/fallback",
    operation_id = "show_fallback",
    tag = "administration",
    responses(
        (status = 200, description = "Who answers, in this order", body = FallbackQueue),
    )
)]
pub(super) async fn show(_: Administrator, State(surface): State<Surface>) -> Json<FallbackQueue> {
    let engine = &surface.engine;
    let queue = engine
        .fallback_queue()
        .iter()
        .map(|model| FallbackModel { model: model.to_string(), callable: engine.may_call(model) });
    Json(FallbackQueue { queue: queue.collect() })
}
