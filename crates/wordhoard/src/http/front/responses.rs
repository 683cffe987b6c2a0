mod compact;
mod input_items;
mod previous;
mod shown;
mod stored;

use super::answer::{self, Telling};
use super::answer_bodies::{DeletedResponse, ResponseAnswer};
use super::ask::{self, Answering, Asking, Client};
use super::request_bodies::ResponsesBody;
use super::targets;
use super::told_problems::OpenAiProblems;
use crate::http::front::following::Following;
use crate::http::stream::StreamedEvent;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
pub(super) use compact::{__path_compact, compact};
pub(super) use input_items::{__path_input_items, input_items};
use serde_json::{Map, Value, json};
use wordhoard_engine::{CancelError, EraseError, ReadError};
use wordhoard_providers::Dialect;
use wordhoard_store::Owners;
use wordhoard_wire::openai_responses;

use self::stored::Stored;
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::prompt::IdempotencyKeyHeader;
use crate::http::query::Query;
use crate::http::request_path::{RESPONSE_PREFIX, RequestPath, ResponsePath, Seen};
use crate::http::{Surface, body};

const DIALECT: Dialect = Dialect::OpenAiResponses;
const BACKGROUND: &str = "background";

/// Create a response, as OpenAI's API has it.
///
/// All of them are kept. `background` answers at once; what was cut is resumed by `GET /v1/responses/{id}`, which takes
/// `stream` and `starting_after`.
#[utoipa::path(
    post,
    path = "/v1/responses",
    operation_id = "create_response",
    tag = "drop-in",
    params(IdempotencyKeyHeader),
    request_body(content = ResponsesBody, description = "See OpenAI's reference of `POST /v1/responses`"),
    responses(
        (status = 200, description = "The response, or a stream of its events", content((ResponseAnswer = "application/json"), (StreamedEvent = "text/event-stream"))),
        OpenAiProblems<(Asking, Answering)>,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    asker: Asker,
    Seen(owners): Seen,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let fields = body::json_object(&headers, &bytes)?;
    let mut client = Client::of(asker, DIALECT, &uri, &headers, (&bytes, &fields))?;
    let shown = match client.idempotency {
        None if surface.engine.has_orphans() => shown::of_request(&fields),
        _ => Vec::new(),
    };
    client.earlier = shown::earlier_questions(&shown, &uri, &fields, client.credential.as_ref());
    let (background, accepted) = accept(&surface, fields, &owners, client).await?;
    let id = accepted.request_id;
    let answered = match (accepted.stream, background) {
        (true, _) => {
            let stored = Stored::find(&surface, id).await?;
            let shown = shown[shown.len().saturating_sub(accepted.shown_items)..].to_vec();
            let telling = Telling { folds_the_past: true, shown_items: shown, ..stored.telling(0)? };
            answer::stream(&surface, id, telling).await
        }
        (false, false) => {
            let stored = Stored::find(&surface, id).await?;
            answer::whole(&surface, id, stored.telling(0)?).await
        }
        (false, true) => Stored::find(&surface, id).await?.state(&surface).await,
    };
    Ok(accepted.annotate(answered))
}

/// Records a request with what the server carries out itself: it keeps every response (`store`), runs those of `background`
/// whoever waits, and puts the items of `previous_response_id` before the input.
async fn accept(
    surface: &Surface,
    mut fields: Map<String, Value>,
    owners: &Owners,
    mut client: Client,
) -> Result<(bool, ask::Accepted), Problem> {
    let background = take_flag(&mut fields, BACKGROUND)?;
    take_flag(&mut fields, "store")?;
    // Nothing is padded.
    fields.remove("stream_options");
    // A model that there is not is told before what its request refers to.
    targets::named(surface, &fields)?;
    if let Some(previous) = previous::take(&mut fields)? {
        let mut all = previous::items_before(surface, owners, previous).await?;
        all.extend(previous::items(fields.remove("input")));
        fields.insert("input".to_owned(), all.into());
        client.recorded.previous_response_id = Some(format!("{RESPONSE_PREFIX}{previous}"));
    }
    client.recorded.background = background.then_some(true);
    Ok((background, ask::record(surface, fields, client, DIALECT).await?))
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
        (status = 200, description = "The response, or a stream of its events", content((ResponseAnswer = "application/json"), (StreamedEvent = "text/event-stream"))),
        OpenAiProblems<(RequestPath, Query, ReadError, Following)>,
    )
)]
pub(super) async fn retrieve(
    State(surface): State<Surface>,
    ResponsePath(id): ResponsePath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["stream", "starting_after", "include_obfuscation"])?;
    let after =
        query.get::<u64>("starting_after", "the sequence_number of an event, a whole number from 0")?;
    let stored = Stored::find(&surface, id).await?;
    if query.get::<bool>("stream", "true or false")? != Some(true) {
        return stored.state(&surface).await;
    }
    let known_events = after.map_or(0, |after| after.saturating_add(1));
    let mut response = answer::stream(&surface, id, stored.telling(known_events)?).await?;
    answer::add_ids(&mut response, id);
    Ok(response)
}

/// Stop a response that runs.
#[utoipa::path(
    post,
    path = "/v1/responses/{response_id}/cancel",
    operation_id = "cancel_response",
    tag = "drop-in",
    params(("response_id" = String, Path, description = "As the response has it")),
    responses(
        (status = 200, description = "The response as it stands", body = ResponseAnswer),
        OpenAiProblems<(RequestPath, CancelError, ReadError)>,
    )
)]
pub(super) async fn cancel(
    State(surface): State<Surface>,
    ResponsePath(id): ResponsePath,
) -> Result<Response, Problem> {
    surface.engine.cancel(id).await?;
    Stored::find(&surface, id).await?.state(&surface).await
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
        (status = 200, description = "It is gone", body = DeletedResponse),
        OpenAiProblems<(RequestPath, EraseError, ReadError)>,
    )
)]
pub(super) async fn delete(
    State(surface): State<Surface>,
    ResponsePath(id): ResponsePath,
) -> Result<Response, Problem> {
    surface.engine.erase(id).await?;
    tracing::info!(request_id = %id, "what a request said was erased, as its client wants it");
    let gone = json!({"id": format!("{RESPONSE_PREFIX}{id}"), "object": "response", "deleted": true});
    Ok(answer::document(gone.to_string().into_bytes()))
}

fn take_flag(fields: &mut Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(ask::refused(name, "must be true or false")),
    }
}

/// The fields of a request that its response repeats.
fn repeated(body: &Map<String, Value>) -> Map<String, Value> {
    openai_responses::repeated(body.clone())
}
