use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Json;
use serde_json::{Value, json};
use wordhoard_model::ModelRef;

use super::answer_bodies::{ModelAnswer, ModelList};
use super::told_problems::OpenAiProblems;
use crate::http::Surface;
use crate::http::authorisation::Calling;
use crate::http::problem::{Problem, ProblemKind};

/// List the models that can be asked for: the aliases, and the models that providers list and that are called,
/// as far as the key may ask them.
///
/// With an `anthropic-version` header in the shape of Anthropic's API, else in that of OpenAI's.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "drop-in",
    responses(
        (status = 200, description = "All that may be asked", body = ModelList),
    )
)]
pub(super) async fn list(
    State(surface): State<Surface>,
    Calling(key): Calling,
    headers: HeaderMap,
) -> Json<Value> {
    let names = surface.catalogue.names().into_iter();
    let called =
        names.filter(|(_, model)| surface.engine.may_call(model) && surface.engine.key_allows(key, model));
    let is_anthropic = headers.contains_key("anthropic-version");
    let models: Vec<Value> = called.map(|(name, model)| view(&name, &model, is_anthropic)).collect();
    if !is_anthropic {
        return Json(json!({"object": "list", "data": models}));
    }
    let id = |model: Option<&Value>| model.map(|model| model["id"].clone());
    let ends = (id(models.first()), id(models.last()));
    Json(json!({"data": models, "has_more": false, "first_id": ends.0, "last_id": ends.1}))
}

/// Show one model.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    operation_id = "show_model",
    tag = "drop-in",
    params(("model" = String, Path, description = "As the list has it")),
    responses(
        (status = 200, description = "The model", body = ModelAnswer),
        OpenAiProblems<ModelRef>,
    )
)]
pub(super) async fn one(
    State(surface): State<Surface>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let found = surface.catalogue.resolve(&name);
    let model = found.map_err(|detail| Problem::new(ProblemKind::ModelNotFound, detail).field("model"))?;
    Ok(Json(view(&name, &model, headers.contains_key("anthropic-version"))))
}

/// When a model was made is not known here; both APIs want a time.
fn view(name: &str, model: &ModelRef, is_anthropic: bool) -> Value {
    if is_anthropic {
        json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
    } else {
        json!({"id": name, "object": "model", "created": 0, "owned_by": model.provider.as_str()})
    }
}
