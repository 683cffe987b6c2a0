use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use wordhoard_providers::Dialect;

use super::answer_bodies::ChatAnswer;
use super::ask::{self, Answering, Asking};
use super::request_bodies::ChatBody;
use super::told_problems::OpenAiProblems;
use crate::http::Surface;
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::prompt::IdempotencyKeyHeader;
use crate::http::stream::StreamedEvent;

/// Create a chat completion, as OpenAI's API has it.
///
/// `model` is `provider:model`, an alias, or a name that one provider lists. The answer's `x-wordhoard-request-id` is the
/// request's id in the native API, where it can be read and resumed.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "create_chat_completion",
    tag = "drop-in",
    params(IdempotencyKeyHeader),
    request_body(content = ChatBody, description = "See OpenAI's reference of `POST /v1/chat/completions`"),
    responses(
        (status = 200, description = "The completion, or a stream of its chunks", content((ChatAnswer = "application/json"), (StreamedEvent = "text/event-stream"))),
        OpenAiProblems<(Asking, Answering)>,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    asker: Asker,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    ask::answer(&surface, asker, &uri, &headers, body, Dialect::OpenAiChat).await
}
