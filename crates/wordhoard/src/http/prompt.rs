use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use wordhoard_engine::NewRequest;
use wordhoard_model::{Idempotency, LaneSpec};

use super::authorisation::Calling;
use super::problem::{FieldError, Problem};
use super::prompt_body::PromptBody;
use super::{Surface, body, prompt_body};

/// The longest `Idempotency-Key`.
const MAX_KEY_CHARS: usize = 255;

/// An accepted prompt.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The id under which it can be read, streamed and cancelled.
    request_id: String,
    /// Always `accepted`.
    status: &'static str,
    /// The models that answer, in the order of lanes.
    models_selected: Vec<String>,
    /// Where its events stream.
    stream_url: String,
}

/// What a check of a prompt found.
#[derive(Serialize, ToSchema)]
pub(super) struct Validation {
    /// Whether it would be accepted.
    valid: bool,
    /// What is wrong with it.
    errors: Vec<FieldError>,
    /// Its length in characters.
    prompt_length: usize,
    /// The models that would answer.
    models_selected: Vec<String>,
}

/// Submit a prompt to one or several models.
///
/// Answers once the prompt is on disk; the answers then stream at `stream_url`, whether anyone reads them or not.
#[utoipa::path(
    post,
    path = "/api/llm/prompt",
    tag = "prompts",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 24 h are the same request")),
    request_body = PromptBody,
    responses(
        (status = 202, body = Accepted),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Not JSON, not UTF-8, or a text that is not acceptable"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key may not ask the model"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The key is being accepted right now"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too long"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Not application/json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing, of a wrong type or out of range, or cannot be honoured by a model that is asked, or the key was used for another body"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "The key has used what it may; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "Cannot be recorded or run now, or too many wait for a provider; see Retry-After"),
    )
)]
pub(super) async fn submit(
    State(surface): State<Surface>,
    Calling(key): Calling,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let fields = body::json_object(&headers, &bytes)?;
    let idempotency = idempotency(&headers, &bytes)?;
    let new = prompt_body::parse(fields, &surface.catalogue, &surface.engine, key)
        .map_err(|broken| Problem::invalid(&broken))?;
    let admitted = surface.engine.admit(NewRequest { idempotency, ..new }).await?;
    let standing = admitted.standing;
    let request_id = admitted.request_id.to_string();
    let accepted = Accepted {
        status: "accepted",
        models_selected: names(&admitted.lanes),
        stream_url: format!("/api/llm/stream/{request_id}"),
        request_id,
    };
    Ok((StatusCode::ACCEPTED, Extension(standing), Json(accepted)).into_response())
}

/// Check a prompt without submitting it.
#[utoipa::path(
    post,
    path = "/api/llm/validate",
    tag = "prompts",
    request_body = PromptBody,
    responses(
        (status = 200, body = Validation),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Not JSON or not UTF-8"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too long"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Not application/json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The body is no object"),
    )
)]
pub(super) async fn validate(
    State(surface): State<Surface>,
    Calling(key): Calling,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Validation>, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let fields = body::json_object(&headers, &bytes)?;
    let prompt_length =
        fields.get("prompt").and_then(|prompt| prompt.as_str()).map_or(0, |text| text.chars().count());
    let (errors, models_selected) = match prompt_body::parse(fields, &surface.catalogue, &surface.engine, key)
    {
        Ok(new) => (Vec::new(), names(&new.lanes)),
        Err(broken) => (FieldError::all(&broken), Vec::new()),
    };
    Ok(Json(Validation { valid: errors.is_empty(), errors, prompt_length, models_selected }))
}

fn names(lanes: &[LaneSpec]) -> Vec<String> {
    lanes.iter().map(|lane| lane.model.to_string()).collect()
}

/// The key against doubles, if one was given.
pub(super) fn idempotency(headers: &HeaderMap, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_CHARS {
        let detail = format!("Idempotency-Key must have 1 to {MAX_KEY_CHARS} visible ASCII characters");
        return Err(Problem::bad_request("invalid-header", detail).field("Idempotency-Key"));
    }
    Ok(Some(Idempotency { key: key.to_owned(), body_sha256: Sha256::digest(body).into() }))
}
