use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;
use wordhoard_engine::{AdmitError, TokenCount, UnrecordedError};
use wordhoard_model::{Failure, ModelRef};
use wordhoard_providers::{Call, CallKind, Dialect, Forwarded, Verbatim};

use super::answer_bodies::CountAnswer;
use super::failures::problem_of;
use super::request_bodies::CountTokensBody;
use super::told_problems::AnthropicProblems;
use super::{forwarding, targets};
use crate::http::asker::Asker;
use crate::http::body::JsonBody;
use crate::http::problem::Problem;
use crate::http::{Surface, body};

/// What an answer may have, for the count of a prompt that does not say. It is not counted.
const ANY_MAX_TOKENS: u32 = 64_000;

/// Names what of an answer nobody has counted (SPEC FD 12).
const ESTIMATED: HeaderName = HeaderName::from_static("x-wordhoard-estimated");

/// Count the tokens of a message, as Anthropic's API has it.
///
/// Where the provider does not count, the number is estimated, and `x-wordhoard-estimated: input_tokens` says so. Nothing is
/// recorded, and no answer is made.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    operation_id = "count_message_tokens",
    tag = "drop-in",
    request_body(content = CountTokensBody, description = "See Anthropic's reference of `POST /v1/messages/count_tokens`"),
    responses(
        (status = 200, description = "The count", body = CountAnswer),
        AnthropicProblems<(JsonBody, ModelRef, AdmitError, Failure)>,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    Asker { key, credential }: Asker,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let mut fields = body::json_object(&headers, &bytes)?;
    fields.entry("max_tokens").or_insert_with(|| ANY_MAX_TOKENS.into());
    let request = Dialect::Anthropic.read_request(&fields);
    let model = targets::model(&surface, request.model.as_deref().unwrap_or_default())?;
    let recorded = forwarding::recorded(Dialect::Anthropic, &uri, &headers);
    let verbatim = Verbatim {
        dialect: Dialect::Anthropic,
        body: Arc::new(fields),
        forwarded: Forwarded { headers: recorded.headers, query: recorded.query },
        kind: CallKind::Answer,
    };
    let conversation = Arc::new(request.conversation);
    let call = Call { verbatim: Some(verbatim), credential, ..Call::new(model.model.as_str(), conversation) };
    match surface.engine.count_tokens(&model, call, key).await {
        Ok(TokenCount { input_tokens, is_estimated }) => {
            let mut response = Json(json!({"input_tokens": input_tokens})).into_response();
            if is_estimated {
                response.headers_mut().insert(ESTIMATED, HeaderValue::from_static("input_tokens"));
            }
            Ok(response)
        }
        Err(UnrecordedError::Refused(refused)) => Err(refused.into()),
        Err(UnrecordedError::Failed(failure)) => Err(problem_of(&failure)),
    }
}
