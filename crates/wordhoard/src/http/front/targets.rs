//! The models that a request of a drop-in API asks.

use serde_json::{Map, Value};
use wordhoard_model::{MAX_LANES, ModelRef};
use wordhoard_providers::Dialect;

use super::ask::refused;
use crate::http::Surface;
use crate::http::problem::{Problem, ProblemKind, can_fail};

/// One model for each choice that the answer is to have. What only the server carries out is taken out of a chat completion:
/// `n` asks for so many answers of the model that is named or, where `fan_out` asks for it, of each of several that are named
/// with commas between.
pub(super) fn take(
    surface: &Surface,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<Vec<ModelRef>, Problem> {
    let name = name(body)?.to_owned();
    if dialect != Dialect::OpenAiChat {
        return Ok(vec![model(surface, &name)?]);
    }
    let n = match body.remove("n") {
        None | Some(Value::Null) => 1,
        Some(n) => {
            n.as_u64().filter(|n| *n > 0).ok_or_else(|| refused("n", "must be a whole number from 1"))?
        }
    };
    let models: Vec<ModelRef> = match body.remove("fan_out") {
        None | Some(Value::Null | Value::Bool(false)) => vec![model(surface, &name)?],
        Some(Value::Bool(true)) => {
            name.split(',').map(|name| model(surface, name.trim())).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(refused("fan_out", "must be true or false")),
    };
    let choices = usize::try_from(n).unwrap_or(usize::MAX).saturating_mul(models.len());
    if choices > MAX_LANES {
        let problem = format!("asks for {choices} answers of which there may be {MAX_LANES}");
        return Err(refused(if models.len() > MAX_LANES { "model" } else { "n" }, &problem));
    }
    let each = models.len();
    Ok(models.into_iter().cycle().take(each * (choices / each)).collect())
}

/// The one model that the body names.
pub(super) fn named(surface: &Surface, body: &Map<String, Value>) -> Result<ModelRef, Problem> {
    model(surface, name(body)?)
}

fn name(body: &Map<String, Value>) -> Result<&str, Problem> {
    match body.get("model") {
        Some(Value::String(name)) if !name.is_empty() => Ok(name),
        None => Err(refused("model", "is missing")),
        Some(_) => Err(refused("model", "must be a string that is not empty")),
    }
}

can_fail!(ModelRef: InvalidField, ModelNotFound);

/// The model that a name stands for.
pub(super) fn model(surface: &Surface, name: &str) -> Result<ModelRef, Problem> {
    if name.contains(',') {
        let problem = "names several models: with \"fan_out\": true a chat completion has a choice of each, and \
                       POST /api/llm/prompt asks several at once";
        return Err(refused("model", problem));
    }
    surface
        .catalogue
        .resolve(name)
        .map_err(|detail| Problem::new(ProblemKind::ModelNotFound, detail).field("model"))
}
