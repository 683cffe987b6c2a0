use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};
use wordhoard_engine::{NewRequest, Standing};
use wordhoard_model::{
    Conversation, Fallback, Idempotency, KeyId, LaneSpec, MAX_LANES, ModelRef, Prompt, RequestId,
};
use wordhoard_providers::{Call, CannotHonour, Dialect, InvalidRequest, prompt_of};
use wordhoard_wire::ClientRequest;
use wordhoard_wire::openai_chat::{REMEMBERED, keep_verbatim, remember_client_dialect};

use super::answer::{self, Telling};
use crate::config::DropInConfig;
use crate::http::problem::Problem;
use crate::http::{Surface, body, prompt};

/// The fields of a request that its provider was not told, by their names in the chat dialect.
const DROPPED_FIELDS: HeaderName = HeaderName::from_static("x-wordhoard-dropped-fields");

/// What a client asked, on disk.
pub(super) struct Asked {
    pub(super) request_id: RequestId,
    /// The models that were asked for, one for each choice.
    pub(super) models: Vec<ModelRef>,
    pub(super) conversation: Arc<Conversation>,
    /// The request as it came, where its provider gets it so.
    pub(super) verbatim: Option<Arc<Map<String, Value>>>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) beside: Beside,
}

/// What an answer tells in its headers.
pub(super) struct Beside {
    /// The fields that its request went without, as the configuration of its provider wants it.
    left_out: BTreeSet<String>,
    /// How its key stands with what it may use.
    standing: Standing,
}

/// Reads a request of a dialect, records it with one lane, and answers it.
pub(super) async fn answer(
    surface: &Surface,
    key: Option<KeyId>,
    headers: &HeaderMap,
    body: Body,
    dialect: Dialect,
) -> Result<Response, Problem> {
    let bytes = body::read(body, surface.limits.body_bytes, surface.limits.header_timeout).await?;
    body::check_content_type(headers)?;
    let idempotency = prompt::idempotency(headers, &bytes)?;
    let has_choices = dialect == Dialect::OpenAiChat;
    let client = Client {
        key,
        idempotency,
        waits: true,
        has_choices,
        dialect,
        remembered: Map::new(),
        sent: bytes.clone(),
    };
    let asked = record(surface, dialect.decode_request(&bytes)?, client).await?;
    let telling = Telling {
        dialect,
        models: asked.models,
        include_usage: asked.include_usage,
        asked: Map::new(),
        known_events: 0,
    };
    let answered = match asked.stream {
        true => answer::stream(surface, asked.request_id, telling).await,
        false => answer::whole(surface, asked.request_id, telling).await,
    };
    answered.map(|response| asked.beside.tell(response))
}

/// Who asks.
pub(super) struct Client {
    pub(super) key: Option<KeyId>,
    pub(super) idempotency: Option<Idempotency>,
    /// Whether it stays for the answer, or comes back for it.
    pub(super) waits: bool,
    /// Whether an answer in its dialect can have several choices.
    pub(super) has_choices: bool,
    /// The dialect that it speaks.
    pub(super) dialect: Dialect,
    /// What is recorded beside the conversation, to be told again whenever the answer is.
    pub(super) remembered: Map<String, Value>,
    /// The body of its request.
    pub(super) sent: Bytes,
}

impl Client {
    /// How long its request goes on without it. Who gave a key means to come back with it.
    fn may_be_gone_for(&self, config: DropInConfig) -> Option<Duration> {
        config.client_gone_grace.filter(|_| self.waits && self.idempotency.is_none())
    }
}

/// Records a request, with one lane.
pub(super) async fn record(
    surface: &Surface,
    mut request: ClientRequest,
    client: Client,
) -> Result<Asked, Problem> {
    let name = request.model.as_deref().unwrap_or_default();
    let models = match client.has_choices {
        true => models(surface, name, &mut request.conversation.further)?,
        false => vec![model(surface, name)?],
    };
    settle_form(&mut request.conversation.further, client.dialect)?;
    let conversation = Arc::new(request.conversation);
    let verbatim = verbatim(surface, &models, &client, &conversation).map(Arc::new);
    let mut left_out = BTreeSet::new();
    for model in &models {
        let call = Call {
            client_dialect: Some(client.dialect),
            verbatim: verbatim.clone(),
            ..Call::new(model.model.as_str(), Arc::clone(&conversation))
        };
        let provider = surface.engine.providers().get(&model.provider);
        left_out.extend(provider.map(|provider| provider.check(&call)).transpose()?.unwrap_or_default());
    }
    if client.dialect == Dialect::OpenAiResponses
        && verbatim.is_none()
        && conversation.further.contains_key("top_logprobs")
    {
        let problem =
            "can be given to providers of this dialect alone, and in the chat dialect beside logprobs: true";
        return Err(refused("top_logprobs", problem));
    }
    let deserted_after = client.may_be_gone_for(surface.config.drop_in);
    let mut prompt = prompt_of(&conversation)?;
    // Several answers make one of no provider's.
    let one_dialect = (models.len() == 1).then_some(client.dialect);
    remember(&mut prompt, client.remembered, one_dialect, verbatim.as_deref());
    let new = NewRequest {
        prompt,
        lanes: models.into_iter().map(|model| LaneSpec { model, weight: None }).collect(),
        deserted_after,
        idempotency: client.idempotency,
        key: client.key,
        fallback: Fallback::Default,
    };
    let admitted = surface.engine.admit(new).await?;
    Ok(Asked {
        request_id: admitted.request_id,
        models: admitted.lanes.into_iter().map(|lane| lane.model).collect(),
        conversation,
        verbatim,
        stream: request.stream.unwrap_or(false),
        include_usage: request.include_usage,
        beside: Beside { left_out, standing: admitted.standing },
    })
}

/// Records beside the conversation what else is to be known of the request, or in its place where it goes as it came.
fn remember(
    prompt: &mut Prompt,
    mut remembered: Map<String, Value>,
    dialect: Option<Dialect>,
    verbatim: Option<&Map<String, Value>>,
) {
    if let Some(dialect) = dialect {
        remember_client_dialect(&mut remembered, dialect);
    }
    if let Some(verbatim) = verbatim {
        keep_verbatim(prompt, &mut remembered, verbatim.clone());
    }
    if !remembered.is_empty() {
        prompt.parameters.extra.insert(REMEMBERED.to_owned(), remembered.into());
    }
}

impl Beside {
    pub(super) fn tell(&self, mut response: Response) -> Response {
        response.extensions_mut().insert(self.standing);
        let names: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
        // A name that no header can hold is nobody's field: the conversation would not have it.
        if let (false, Ok(names)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
            response.headers_mut().insert(DROPPED_FIELDS, names);
        }
        response
    }
}

/// The request as it came, where its provider speaks its dialect and it says more than a conversation holds.
fn verbatim(
    surface: &Surface,
    models: &[ModelRef],
    client: &Client,
    conversation: &Conversation,
) -> Option<Map<String, Value>> {
    let [model] = models else { return None };
    let provider = surface.engine.providers().get(&model.provider)?;
    if provider.dialect() != Some(client.dialect) {
        return None;
    }
    let mut body: Map<String, Value> = serde_json::from_slice(&client.sent).ok()?;
    // What was settled asks for nothing any more.
    body.retain(|name, _| !SETTLED.contains(&name.as_str()) || conversation.further.contains_key(name));
    client.dialect.says_more(&body, conversation).then_some(body)
}

/// The fields that [`settle_form`] may take away.
const SETTLED: [&str; 10] = [
    "n",
    "fan_out",
    "audio",
    REMEMBERED,
    "functions",
    "function_call",
    "store",
    "modalities",
    "logprobs",
    "top_logprobs",
];

/// Fields that are about the answer's form and not yet ours to give. As their defaults they ask for nothing.
fn settle_form(further: &mut Map<String, Value>, dialect: Dialect) -> Result<(), Problem> {
    let is_default = |name: &str, value: &Value| match name {
        "store" => *value == false,
        _ => value.is_null(),
    };
    for (name, problem) in [
        ("n", "is a field of chat completions alone"),
        ("fan_out", "is a field of chat completions alone"),
        ("audio", "is not supported"),
        (REMEMBERED, "is kept for the server's own use"),
        ("functions", "is the old form: give tools"),
        ("function_call", "is the old form: give tool_choice"),
    ] {
        if further.remove(name).is_some_and(|value| !is_default(name, &value)) {
            return Err(refused(name, problem));
        }
    }
    if further.get("store").is_some_and(|value| is_default("store", value)) {
        further.remove("store");
    }
    if further.get("modalities").is_some_and(|value| *value == serde_json::json!(["text"])) {
        further.remove("modalities");
    }
    // In the responses dialect only a provider of the same dialect can be asked for them.
    if dialect == Dialect::OpenAiResponses {
        if further.get("top_logprobs").is_some_and(|value| *value == 0) {
            further.remove("top_logprobs");
        }
        return Ok(());
    }
    let has_logprobs = further.get("logprobs").is_some_and(|value| *value == true);
    if !has_logprobs {
        further.remove("logprobs");
        if further.remove("top_logprobs").is_some_and(|value| value != 0 && !value.is_null()) {
            return Err(refused("top_logprobs", "can be given beside logprobs: true alone"));
        }
    }
    Ok(())
}

/// One model for each choice that the answer shall have: `n` of the model that is named or, where `fan_out` asks for it,
/// of each of several that are named with commas between.
fn models(surface: &Surface, name: &str, further: &mut Map<String, Value>) -> Result<Vec<ModelRef>, Problem> {
    let n = match further.remove("n") {
        None | Some(Value::Null) => 1,
        Some(n) => {
            n.as_u64().filter(|n| *n > 0).ok_or_else(|| refused("n", "must be a whole number from 1"))?
        }
    };
    let models: Vec<ModelRef> = match further.remove("fan_out") {
        None | Some(Value::Null | Value::Bool(false)) => vec![model(surface, name)?],
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
        .map_err(|detail| Problem::new(StatusCode::NOT_FOUND, "model-not-found", detail).field("model"))
}

pub(super) fn refused(field: &str, problem: &str) -> Problem {
    Problem::bad_request("invalid-field", format!("{field} {problem}")).field(field)
}

impl From<InvalidRequest> for Problem {
    fn from(invalid: InvalidRequest) -> Self {
        let problem = Self::bad_request("invalid-field", invalid.to_string());
        match invalid.field {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}

impl From<CannotHonour> for Problem {
    fn from(cannot: CannotHonour) -> Self {
        Self::bad_request("unsupported-parameter", cannot.to_string()).field(cannot.field)
    }
}
