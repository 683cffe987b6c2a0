//! The body of a prompt: from JSON to a prompt and its lanes, with every broken rule named.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_engine::{Engine, NewRequest};
use wordhoard_model::{
    Fallback, Invalid, KeyId, LaneSpec, Loss, MAX_FALLBACK_MODELS, MAX_LANES, ModelRef, Parameters, Prompt,
    ProviderName,
};
use wordhoard_providers::{Call, Recorded, conversation_of};

use super::body::whole_number;
use crate::selection::Catalogue;

/// A prompt for one to five models, with the generation parameters of OpenAI's chat dialect. Any other field is refused.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct PromptBody {
    /// The user's message: 1 to 8,000 characters, no control characters but tab, newline and carriage return.
    #[schema(
        max_length = 8000,
        pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
    )]
    prompt: String,
    /// Whom to ask, 1 to 5; selected by rules if left out.
    #[schema(min_items = 1, max_items = 5)]
    models: Option<Vec<ModelInput>>,
    /// The system message: at most 2,000 characters.
    #[schema(
        max_length = 2000,
        pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
    )]
    system_message: Option<String>,
    /// The most tokens of an answer.
    #[schema(format = "uint32", minimum = 1, maximum = 4_294_967_295_usize)]
    max_tokens: Option<u32>,
    /// 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// Who answers in the place of a model that fails: `false` for nobody, or 1 to 10 models in their order; as the
    /// configuration has it if left out.
    fallback: Option<FallbackInput>,
}

/// Who answers in the place of a model that fails.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum FallbackInput {
    /// `false` for nobody; `true` is as if it were left out.
    Switch(bool),
    /// These, in their order.
    Models(FallbackModels),
}

/// 1 to 10 models, in their order.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(min_items = 1, max_items = 10)]
pub(super) struct FallbackModels(Vec<ModelInput>);

/// A model to ask.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ModelInput {
    /// `provider:model`, an alias, or a bare name that exactly one provider lists.
    Name(ModelName),
    /// Provider and model apart, with an optional weight above 0 and at most 1.
    Parts(ModelParts),
}

/// The name of a model: `provider:model`, an alias, or a bare name that exactly one provider lists.
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct ModelName(String);

/// Provider and model apart.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelParts {
    /// The provider's name.
    provider: String,
    /// The provider's name for the model, if that lists any one of them.
    model: String,
    /// How much this model counts.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    weight: Option<f64>,
}

/// Checks the body of a prompt: its rules, and whether the models that it names can honour what it asks for.
pub(crate) fn parse(
    mut fields: Map<String, Value>,
    catalogue: &Catalogue,
    engine: &Engine,
    key: Option<KeyId>,
) -> Result<NewRequest, Vec<Invalid>> {
    let mut broken = Vec::new();
    let text = match fields.remove("prompt") {
        Some(Value::String(text)) => Some(text),
        Some(_) => note(&mut broken, "prompt", "must be a string"),
        None => note(&mut broken, "prompt", "is missing"),
    };
    let system_message = match fields.remove("system_message") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => note(&mut broken, "system_message", "must be a string"),
    };
    let models = fields.remove("models");
    let fallback = fallback(fields.remove("fallback"), catalogue, &mut broken);
    let parameters = parameters(fields, &mut broken);
    let lanes = match models {
        None | Some(Value::Null) => {
            let text = text.as_deref().unwrap_or_default();
            let may_ask = |model: &ModelRef| engine.may_call(model) && engine.key_allows(key, model);
            let selected = catalogue.select(text, may_ask, uniform);
            selected.into_iter().map(|model| LaneSpec { model, weight: None }).collect()
        }
        Some(models) => lanes(models, catalogue, &mut broken),
    };
    if lanes.is_empty() && broken.is_empty() {
        note::<()>(
            &mut broken,
            "models",
            "were left out, and no configured model can be selected: name some",
        );
    }
    match Prompt::new(text.unwrap_or_else(|| "?".into()), system_message, parameters) {
        Ok(mut prompt) if broken.is_empty() => {
            let dropped_fields = check_models(&prompt, &lanes, engine)?;
            Recorded { dropped_fields, ..Recorded::default() }.keep_in(&mut prompt);
            Ok(NewRequest { prompt, lanes, idempotency: None, fallback, key, credential: None })
        }
        Ok(_) => Err(broken),
        Err(rules) => Err(rules.into_iter().chain(broken).collect()),
    }
}

/// Whether each model, and its dialect, can honour what the prompt asks for; and the hints that it is not given. Nobody is
/// called for it.
fn check_models(prompt: &Prompt, lanes: &[LaneSpec], engine: &Engine) -> Result<Vec<String>, Vec<Invalid>> {
    let conversation = conversation_of(prompt).map_err(|invalid| {
        vec![Invalid::shape(invalid.field.unwrap_or_else(|| "the body".into()), invalid.problem)]
    })?;
    let mut broken = Vec::new();
    // Here nothing goes to a provider as it came.
    for unplaced in &conversation.unplaced {
        let problem = match &unplaced.loss {
            Loss::Meaning(problem) => problem.as_str(),
            Loss::Hint => "cannot be given to a model by this API",
        };
        broken.push(Invalid::shape(unplaced.field.clone(), problem));
    }
    let conversation = Arc::new(conversation);
    let mut dropped = BTreeSet::new();
    for LaneSpec { model, .. } in lanes {
        let call = Call::new(model.model.as_str(), Arc::clone(&conversation));
        match engine.providers().get(&model.provider).map(|provider| provider.check(&call)) {
            Some(Err(cannot)) => {
                broken.push(Invalid::shape(cannot.field, format!("{} (asked of {model})", cannot.problem)));
            }
            Some(Ok(names)) => dropped.extend(names),
            None => {}
        }
    }
    if broken.is_empty() { Ok(dropped.into_iter().collect()) } else { Err(broken) }
}

/// A number from 0 up to 1, for the choice among weighted models.
fn uniform() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / (f64::from(u32::MAX) + 1.0)
}

/// Who may answer in the place of a model that fails: `false` for nobody, a list of models, or what the configuration
/// says.
fn fallback(written: Option<Value>, catalogue: &Catalogue, broken: &mut Vec<Invalid>) -> Fallback {
    let models = match written {
        None | Some(Value::Null | Value::Bool(true)) => return Fallback::Default,
        Some(Value::Bool(false)) => return Fallback::Off,
        Some(Value::Array(models)) if (1..=MAX_FALLBACK_MODELS).contains(&models.len()) => models,
        Some(_) => {
            let detail = format!("must be true, false, or a list of 1 to {MAX_FALLBACK_MODELS} models");
            broken.push(Invalid::shape("fallback", detail));
            return Fallback::Default;
        }
    };
    let mut queue = Vec::new();
    for (place, model) in models.into_iter().enumerate() {
        match lane(model, catalogue) {
            Ok(lane) => queue.push(lane.model),
            Err((part, detail)) => broken.push(Invalid::shape(format!("fallback[{place}]{part}"), detail)),
        }
    }
    Fallback::Queue(queue)
}

fn note<T>(broken: &mut Vec<Invalid>, field: &str, detail: &str) -> Option<T> {
    broken.push(Invalid::shape(field, detail));
    None
}

fn parameters(fields: Map<String, Value>, broken: &mut Vec<Invalid>) -> Parameters {
    let mut parameters = Parameters::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            (_, Value::Null) if is_known(&name) => {}
            ("max_tokens", value) => {
                match whole_number(&value).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0) {
                    Some(max_tokens) => parameters.max_tokens = Some(max_tokens),
                    None => broken.push(Invalid::shape("max_tokens", "must be a whole number of at least 1")),
                }
            }
            ("temperature", value) => match value.as_f64().filter(|t| (0.0..=2.0).contains(t)) {
                Some(temperature) => parameters.temperature = Some(temperature),
                None => broken.push(Invalid::shape("temperature", "must be a number from 0 to 2")),
            },
            (name, value) => {
                if let Err(invalid) = parameters.insert(name, value) {
                    broken.push(invalid);
                }
            }
        }
    }
    parameters
}

/// `null` for a field that exists is the same as leaving it out, as clients with optional fields write it.
fn is_known(name: &str) -> bool {
    matches!(name, "max_tokens" | "temperature")
        || wordhoard_model::known_parameters().iter().any(|(known, _)| *known == name)
}

fn lanes(models: Value, catalogue: &Catalogue, broken: &mut Vec<Invalid>) -> Vec<LaneSpec> {
    let Value::Array(models) = models else {
        note::<()>(broken, "models", "must be a list of 1 to 5 models");
        return Vec::new();
    };
    if models.is_empty() || models.len() > MAX_LANES {
        let detail = format!("has {} models; 1 to {MAX_LANES} are allowed", models.len());
        broken.push(Invalid::shape("models", detail));
        return Vec::new();
    }
    let mut lanes = Vec::new();
    for (place, model) in models.into_iter().enumerate() {
        match lane(model, catalogue) {
            Ok(lane) => lanes.push(lane),
            Err((part, detail)) => broken.push(Invalid::shape(format!("models[{place}]{part}"), detail)),
        }
    }
    lanes
}

/// One model, or the part of it that is wrong and why.
fn lane(model: Value, catalogue: &Catalogue) -> Result<LaneSpec, (&'static str, String)> {
    match model {
        Value::String(text) => {
            let model = catalogue.resolve(&text).map_err(|detail| ("", detail))?;
            Ok(LaneSpec { model, weight: None })
        }
        Value::Object(mut parts) => {
            let provider = text_part(&mut parts, "provider").map_err(|detail| (".provider", detail))?;
            let model = text_part(&mut parts, "model").map_err(|detail| (".model", detail))?;
            let weight = match parts.remove("weight") {
                None | Some(Value::Null) => None,
                Some(weight) => Some(
                    weight
                        .as_f64()
                        .filter(|weight| *weight > 0.0 && *weight <= 1.0)
                        .ok_or((".weight", "must be a number above 0 and at most 1".to_owned()))?,
                ),
            };
            if let Some(unknown) = parts.keys().next() {
                return Err(("", format!("has the unknown field {unknown:?}")));
            }
            let provider = ProviderName::new(&provider).map_err(|error| (".provider", error.to_string()))?;
            let model = ModelRef::new(provider, &model).map_err(|error| (".model", error.to_string()))?;
            let model = catalogue.check(model).map_err(|detail| ("", detail))?;
            Ok(LaneSpec { model, weight })
        }
        _ => Err(("", "must be a string or an object with provider and model".into())),
    }
}

fn text_part(parts: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    match parts.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err("must be a string".into()),
        None => Err("is missing".into()),
    }
}
