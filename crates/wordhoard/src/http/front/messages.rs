use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use wordhoard_providers::Dialect;

use super::answer_bodies::MessageAnswer;
use super::ask::{self, Answering, Asking};
use super::request_bodies::MessagesBody;
use super::told_problems::AnthropicProblems;
use crate::http::Surface;
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::prompt::IdempotencyKeyHeader;
use crate::http::stream::StreamedEvent;

/// Create a message, as Anthropic's API has it.
///
/// `model` is `provider:model`, an alias, or a name that one provider lists. The answer's `x-wordhoard-request-id` is the
/// request's id in the native API, where it can be read and resumed.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "create_message",
    tag = "drop-in",
    params(IdempotencyKeyHeader),
    request_body(content = MessagesBody, description = "See Anthropic's reference of `POST /v1/messages`"),
    responses(
        (status = 200, description = "The message, or a stream of its events", content((MessageAnswer = "application/json"), (StreamedEvent = "text/event-stream"))),
        AnthropicProblems<(Asking, Answering)>,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    asker: Asker,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    ask::answer(&surface, asker, &uri, &headers, body, Dialect::Anthropic).await
}
