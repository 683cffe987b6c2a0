use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, ModelRef, Outcome, Prompt, RequestId, RequestStatus, Transcript};
use wordhoard_providers::{Dialect, client_dialect_of, conversation_of, verbatim_of};
use wordhoard_wire::openai_chat::REMEMBERED;
use wordhoard_wire::openai_responses;

use super::answer::{self, RESPONSE_PREFIX, Telling};
use super::ask::{self, Client};
use super::refusals::Refusals;
use crate::http::authorisation::Calling;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Surface, body, prompt};

const DIALECT: Dialect = Dialect::OpenAiResponses;
const BACKGROUND: &str = "background";
const PREVIOUS: &str = "previous_response_id";

/// Create a response, as OpenAI's API has it.
///
/// All of them are kept. `background` answers at once; what was cut is resumed by `GET /v1/responses/{id}`, which takes
/// `stream` and `starting_after`.
#[utoipa::path(
    post,
    path = "/v1/responses",
    operation_id = "create_response",
    tag = "drop-in",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 24 h are the same request")),
    request_body(content = Object, description = "See OpenAI's reference of `POST /v1/responses`"),
    responses(
        (status = 200, description = "The response, or a stream of its events", body = Object),
        (status = 400, description = "A field is wrong, or cannot be honoured by the model; errors have OpenAI's shape", body = Object),
        (status = 409, description = "The key is being accepted right now", body = Object),
        (status = 503, description = "Cannot be recorded or run now; see Retry-After", body = Object),
        Refusals,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    Calling(key): Calling,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = body::read(body, surface.limits.body_bytes, surface.limits.header_timeout).await?;
    let idempotency = prompt::idempotency(&headers, &bytes)?;
    let mut fields = body::json_object(&headers, &bytes)?;
    let background = take_flag(&mut fields, BACKGROUND)?;
    // Everything is kept here, and nothing is padded.
    take_flag(&mut fields, "store")?;
    fields.remove("stream_options");
    let previous = take_previous(&mut fields)?;
    if let Some(previous) = previous {
        let mut all = items_before(&surface, previous).await?;
        all.extend(items(fields.remove("input")));
        fields.insert("input".to_owned(), all.into());
    }
    let sent = Bytes::from(Value::Object(fields).to_string());
    let request = DIALECT.decode_request(&sent)?;
    let mut remembered = Map::new();
    if background {
        remembered.insert(BACKGROUND.to_owned(), true.into());
    }
    if let Some(previous) = previous {
        remembered.insert(PREVIOUS.to_owned(), format!("{RESPONSE_PREFIX}{previous}").into());
    }
    let client = Client {
        key,
        idempotency,
        waits: !background,
        has_choices: false,
        dialect: DIALECT,
        remembered: remembered.clone(),
        sent,
    };
    let asked = ask::record(&surface, request, client).await?;
    let repeated = repeated(&asked.conversation, asked.verbatim.as_deref())?;
    let telling = telling(asked.models, repeated, remembered, 0);
    let answered = match (asked.stream, background) {
        (true, _) => answer::stream(&surface, asked.request_id, telling).await,
        (false, false) => answer::whole(&surface, asked.request_id, telling).await,
        (false, true) => state(&surface, asked.request_id).await,
    };
    answered.map(|response| asked.beside.tell(response))
}

/// Show a response as it stands, or stream it, from its first event or from behind one.
#[utoipa::path(
    get,
    path = "/v1/responses/{response_id}",
    operation_id = "retrieve_response",
    tag = "drop-in",
    params(
        ("response_id" = String, Path, description = "As the response has it, or a request's id of the native API"),
        ("stream" = Option<bool>, Query, description = "Whether to stream it"),
        ("starting_after" = Option<u64>, Query, description = "Begin behind the event with this sequence_number"),
    ),
    responses(
        (status = 200, description = "The response, or a stream of its events", body = Object),
        (status = 400, description = "A bad parameter", body = Object),
        (status = 404, description = "No such response", body = Object),
        (status = 410, description = "It was older than requests are kept, and is gone", body = Object),
        (status = 503, description = "The history cannot be read now", body = Object),
    )
)]
pub(super) async fn retrieve(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = request_id(&id)?;
    let query = Query::parse(query.as_deref(), &["stream", "starting_after", "include_obfuscation"])?;
    let after =
        query.get::<u64>("starting_after", "the sequence_number of an event, a whole number from 0")?;
    if query.get::<bool>("stream", "true or false")? != Some(true) {
        return state(&surface, id).await;
    }
    let transcript = transcript(&surface, id).await?;
    let (model, repeated) = asked_by(&transcript)?;
    let remembered = remembered(&transcript);
    let known_events = after.map_or(0, |after| after.saturating_add(1));
    answer::stream(&surface, id, telling(vec![model], repeated, remembered, known_events)).await
}

/// Stop a response that runs.
#[utoipa::path(
    post,
    path = "/v1/responses/{response_id}/cancel",
    operation_id = "cancel_response",
    tag = "drop-in",
    params(("response_id" = String, Path, description = "As the response has it")),
    responses(
        (status = 200, description = "The response as it stands", body = Object),
        (status = 404, description = "No such response", body = Object),
        (status = 409, description = "Another server runs it", body = Object),
        (status = 410, description = "It was older than requests are kept, and is gone", body = Object),
        (status = 503, description = "Its end is not recorded yet", body = Object),
    )
)]
pub(super) async fn cancel(
    State(surface): State<Surface>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = request_id(&id)?;
    surface.engine.cancel(id).await?;
    state(&surface, id).await
}

/// Erase what a response said, and what it was asked.
///
/// What it used still counts for its key.
#[utoipa::path(
    delete,
    path = "/v1/responses/{response_id}",
    operation_id = "delete_response",
    tag = "drop-in",
    params(("response_id" = String, Path, description = "As the response has it")),
    responses(
        (status = 200, description = "It is gone", body = Object),
        (status = 403, description = "It was asked with another key", body = Object),
        (status = 404, description = "No such response", body = Object),
        (status = 409, description = "It still runs: cancel it first", body = Object),
        (status = 410, description = "It was older than requests are kept, and is gone", body = Object),
        (status = 503, description = "The database cannot do it now; see Retry-After", body = Object),
    )
)]
pub(super) async fn delete(
    State(surface): State<Surface>,
    Calling(key): Calling,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = request_id(&id)?;
    let owner = transcript(&surface, id).await?.created.key;
    if owner.is_some() && owner != key {
        let detail = "the response was asked with another key".to_owned();
        return Err(Problem::new(StatusCode::FORBIDDEN, "another-key", detail));
    }
    surface.engine.erase(id).await?;
    tracing::info!(request_id = %id, "what a request said was erased, as its client wants it");
    let gone = json!({"id": format!("{RESPONSE_PREFIX}{id}"), "object": "response", "deleted": true});
    Ok(answer::document(id, gone.to_string().into_bytes()))
}

/// A response as it stands.
async fn state(surface: &Surface, id: RequestId) -> Result<Response, Problem> {
    let transcript = transcript(surface, id).await?;
    let (model, repeated) = asked_by(&transcript)?;
    let remembered = remembered(&transcript);
    let created_at = transcript.state.created_at();
    let head = answer::head_of(id, DIALECT, created_at, model.to_string());
    let telling = telling(vec![model], repeated, remembered, 0);
    let fields = telling.asked.clone();
    let state = match transcript.state.status() {
        RequestStatus::Running => openai_responses::encode_state(head, fields, "in_progress", None),
        RequestStatus::Finished(Outcome::Cancelled) => {
            openai_responses::encode_state(head, fields, "cancelled", None)
        }
        RequestStatus::Finished(_) => match answer::gather(surface, id, telling).await? {
            Ok(body) => return Ok(answer::document(id, body)),
            Err(failure) => openai_responses::encode_state(head, fields, "failed", Some(&failure)),
        },
    };
    Ok(answer::document(id, state.to_string().into_bytes()))
}

/// What a request with one lane was recorded as; the others are no responses.
async fn transcript(surface: &Surface, id: RequestId) -> Result<Transcript, Problem> {
    let found = surface.engine.transcript(id).await?;
    found.filter(|found| found.created.lanes.len() == 1).ok_or_else(Problem::no_such_request)
}

/// The model that was asked, and the fields of the request that its response repeats.
fn asked_by(transcript: &Transcript) -> Result<(ModelRef, Map<String, Value>), Problem> {
    let lane = transcript.created.lanes.first().ok_or_else(Problem::no_such_request)?;
    let prompt = &transcript.created.prompt;
    Ok((lane.model.clone(), repeated(&conversation_of(prompt)?, own_words(prompt))?))
}

/// The request as it came, where it came in this dialect and says more than a conversation holds.
fn own_words(prompt: &Prompt) -> Option<&Map<String, Value>> {
    verbatim_of(prompt).filter(|_| client_dialect_of(prompt) == Some(DIALECT))
}

fn repeated(
    conversation: &Conversation,
    verbatim: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, Problem> {
    Ok(match verbatim {
        Some(body) => openai_responses::repeated(body.clone()),
        None => openai_responses::fields_of(conversation)?,
    })
}

/// What a response says of its request beside the conversation.
fn remembered(transcript: &Transcript) -> Map<String, Value> {
    let recorded = transcript.created.prompt.parameters.extra.get(REMEMBERED);
    let told = [BACKGROUND, PREVIOUS].map(|name| Some((name.to_owned(), recorded?.get(name)?.clone())));
    told.into_iter().flatten().collect()
}

fn telling(
    models: Vec<ModelRef>,
    mut asked: Map<String, Value>,
    remembered: Map<String, Value>,
    known_events: u64,
) -> Telling {
    asked.extend(remembered);
    Telling { dialect: DIALECT, models, include_usage: true, asked, known_events }
}

fn request_id(text: &str) -> Result<RequestId, Problem> {
    text.strip_prefix(RESPONSE_PREFIX).unwrap_or(text).parse().map_err(|_| Problem::no_such_request())
}

fn take_flag(fields: &mut Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(ask::refused(name, "must be true or false")),
    }
}

fn take_previous(fields: &mut Map<String, Value>) -> Result<Option<RequestId>, Problem> {
    match fields.remove(PREVIOUS) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => match request_id(&id) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(ask::refused(PREVIOUS, "is no id of a response")),
        },
        Some(_) => Err(ask::refused(PREVIOUS, "must be a string")),
    }
}

/// The conversation of an earlier response and its answer, as items. Its instructions are not carried over.
async fn items_before(surface: &Surface, previous: RequestId) -> Result<Vec<Value>, Problem> {
    let refuse = |problem: &str| ask::refused(PREVIOUS, problem);
    let earlier =
        transcript(surface, previous).await.map_err(|_| refuse("names no response that is kept"))?;
    if earlier.state.status() != RequestStatus::Finished(Outcome::Completed) {
        return Err(refuse("names a response that is not completed"));
    }
    let prompt = &earlier.created.prompt;
    let mut before = match own_words(prompt) {
        Some(body) => items(body.get("input").cloned()),
        None => {
            let asked = conversation_of(prompt)?;
            if let Some(unplaced) = asked.unplaced.first() {
                return Err(refuse(&format!(
                    "names a request whose {} {}",
                    unplaced.field, unplaced.problem
                )));
            }
            openai_responses::items_of(&asked)?
        }
    };
    let (model, repeated) = asked_by(&earlier)?;
    let answer = answer::gather(surface, previous, telling(vec![model], repeated, Map::new(), 0)).await?;
    let answer: Option<Value> = answer.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let Some(Value::Array(said)) = answer.and_then(|mut answer| Some(answer.get_mut("output")?.take()))
    else {
        return Err(refuse("names a response without an answer"));
    };
    before.extend(said.into_iter().map(without_id));
    Ok(before)
}

/// The items of an `input`: a text is the message of a user.
fn items(input: Option<Value>) -> Vec<Value> {
    match input {
        Some(Value::Array(items)) => items,
        Some(Value::String(text)) => vec![json!({"type": "message", "role": "user", "content": text})],
        // Refused by whoever reads it.
        Some(other) => vec![other],
        None => Vec::new(),
    }
}

/// What was said needs no id, and the provider of the next call may not know it.
fn without_id(mut item: Value) -> Value {
    if let (Some("message" | "function_call"), Some(fields)) =
        (item["type"].as_str().map(str::to_owned).as_deref(), item.as_object_mut())
    {
        fields.remove("id");
    }
    item
}
