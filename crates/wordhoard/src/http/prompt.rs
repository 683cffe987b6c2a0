use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use wordhoard_engine::{AdmitError, NewRequest};
use wordhoard_model::{Idempotency, Invalid, LaneSpec};

use super::authorisation::Calling;
use super::body::JsonBody;
use super::problem::{FieldError, Problem, ProblemKind, Problems, can_fail};
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
    params(IdempotencyKeyHeader),
    request_body = PromptBody,
    responses(
        (status = 202, description = "It is on disk, and is answered", body = Accepted),
        Problems<(JsonBody, Idempotency, Invalid, AdmitError)>,
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
    request_body(content = Object, description = "As that of `POST /api/llm/prompt`, right or wrong"),
    responses(
        (status = 200, description = "What was found", body = Validation),
        Problems<JsonBody>,
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

can_fail!(Idempotency: InvalidHeader);

/// As [`idempotency`] takes it, for the document of the API.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "the document of the API is made of it; the header itself is read from the request"
)]
pub(super) struct IdempotencyKeyHeader {
    /// The same key and body within 24 h are the same request
    #[param(rename = "Idempotency-Key", max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$")]
    idempotency_key: Option<String>,
}

/// The key against doubles, if one was given.
pub(super) fn idempotency(headers: &HeaderMap, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_CHARS || key.contains('\t') {
        let detail =
            format!("Idempotency-Key must have 1 to {MAX_KEY_CHARS} visible ASCII characters or blanks");
        return Err(Problem::new(ProblemKind::InvalidHeader, detail).field("Idempotency-Key"));
    }
    Ok(Some(Idempotency { key: key.to_owned(), body_sha256: Sha256::digest(body).into() }))
}
