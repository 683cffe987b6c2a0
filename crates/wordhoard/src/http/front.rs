//! The APIs of others: clients of OpenAI and Anthropic change their base URL, and what they ask is recorded, durable and
//! resumable like everything else (SPEC FD 12).

mod answer;
mod answer_bodies;
mod ask;
mod chat;
mod choices;
mod count_tokens;
mod dropped_fields;
mod embeddings;
mod encoder;
mod errors;
mod failures;
mod following;
mod forwarding;
mod messages;
mod models;
mod other_paths;
mod present_client;
mod provider_events;
mod relay;
mod request_bodies;
mod responses;
mod route;
mod targets;
mod told_problems;

pub(super) use errors::{Shape, shape_of, speak_dialect};
pub(super) use told_problems::{AnthropicError, OpenAiError, told as told_problems};

use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Surface;

pub(super) fn routes() -> OpenApiRouter<Surface> {
    OpenApiRouter::new()
        .routes(routes!(chat::create))
        .routes(routes!(messages::create))
        .routes(routes!(count_tokens::create))
        .routes(routes!(responses::create))
        .routes(routes!(responses::retrieve, responses::delete))
        .routes(routes!(responses::cancel))
        .routes(routes!(responses::input_items))
        .routes(routes!(responses::compact))
        .routes(routes!(embeddings::create))
        .routes(routes!(models::list))
        .routes(routes!(models::one))
        .route("/v1/{*path}", any(other_paths::pass_on))
}
