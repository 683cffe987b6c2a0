use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Json;
use serde_json::Value;
use wordhoard_engine::UnrecordedError;

use super::failures::problem_of;
use super::refusals::Refusals;
use super::{ask, targets};
use crate::http::authorisation::Calling;
use crate::http::problem::Problem;
use crate::http::{Surface, body};

/// Create embeddings, as OpenAI's API has it, by a provider that speaks one of its dialects.
///
/// Nothing of it is recorded: what is lost of it can be asked again.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "create_embeddings",
    tag = "drop-in",
    request_body(content = Object, description = "See OpenAI's reference of `POST /v1/embeddings`"),
    responses(
        (status = 200, description = "The embeddings", body = Object),
        (status = 400, description = "A field is wrong, or the provider has none; errors have OpenAI's shape", body = Object),
        (status = 503, description = "The provider cannot be called now; see Retry-After", body = Object),
        Refusals,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    Calling(key): Calling,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let mut fields = body::json_object(&headers, &bytes)?;
    let model = match fields.remove("model") {
        Some(Value::String(name)) if !name.is_empty() => targets::model(&surface, &name)?,
        None => return Err(ask::refused("model", "is missing")),
        Some(_) => return Err(ask::refused("model", "must be a string that is not empty")),
    };
    if !matches!(fields.get("input"), Some(Value::String(_) | Value::Array(_))) {
        return Err(ask::refused("input", "must be a string or a list"));
    }
    match surface.engine.embed(&model, fields, key).await {
        Ok(embeddings) => Ok(Json(embeddings)),
        Err(UnrecordedError::Refused(refused)) => Err(refused.into()),
        Err(UnrecordedError::Failed(failure)) => Err(problem_of(&failure)),
    }
}
