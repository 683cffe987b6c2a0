use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Map, Value};
use wordhoard_engine::NewRequest;
use wordhoard_model::{Conversation, Fallback, LaneSpec, RequestId};
use wordhoard_providers::{CallKind, Dialect};
use wordhoard_wire::openai_chat::WholeChoice;

use super::answer_bodies::EmbeddingsAnswer;
use super::ask::{self, Accepted, Answering, Asking, Client};
use super::choices::Choices;
use super::failures::problem_of;
use super::following::{Following, without_a_word};
use super::present_client::PresentClient;
use super::request_bodies::EmbeddingsBody;
use super::told_problems::OpenAiProblems;
use super::{answer, targets};
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::prompt::IdempotencyKeyHeader;
use crate::http::{Surface, body};

/// In which embeddings are asked for, whichever of OpenAI's dialects the provider speaks besides.
const DIALECT: Dialect = Dialect::OpenAiChat;

/// Create embeddings, as OpenAI's API has it, by a provider that speaks one of its dialects.
///
/// They are recorded as the provider sent them, with what they cost. No other model answers in the place of one that fails: vectors of
/// two models cannot be compared.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "create_embeddings",
    tag = "drop-in",
    params(IdempotencyKeyHeader),
    request_body(content = EmbeddingsBody, description = "See OpenAI's reference of `POST /v1/embeddings`"),
    responses(
        (status = 200, description = "The embeddings", body = EmbeddingsAnswer),
        OpenAiProblems<(Asking, Answering)>,
    )
)]
pub(super) async fn create(
    State(surface): State<Surface>,
    asker: Asker,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let fields = body::json_object(&headers, &bytes)?;
    let mut client = Client::of(asker, DIALECT, &uri, &headers, (&bytes, &fields))?;
    client.recorded.call = CallKind::Embeddings;
    let accepted = record(&surface, fields, client).await?;
    let answered = embedded(&surface, accepted.request_id).await;
    Ok(accepted.annotate(answered))
}

async fn record(surface: &Surface, fields: Map<String, Value>, client: Client) -> Result<Accepted, Problem> {
    let model = targets::named(surface, &fields)?;
    let Some(text) = fields.get("input").and_then(first_text) else {
        return Err(ask::refused("input", "must be a string or a list"));
    };
    let provider = surface.engine.providers().get(&model.provider);
    if provider.is_some_and(|provider| !provider.has_embeddings()) {
        let problem = format!(
            "is of provider {}, which has no embeddings: its dialect is none of OpenAI's",
            model.provider
        );
        return Err(ask::refused("model", &problem));
    }
    let new = NewRequest {
        prompt: client.recorded.prompt_of(&Conversation::of_user(text), fields),
        lanes: vec![LaneSpec { model, weight: None }],
        idempotency: client.idempotency,
        key: client.key,
        credential: client.credential,
        fallback: Fallback::Off,
    };
    Ok(Accepted::of(surface.engine.adopt_or_admit(new, &[]).await?))
}

/// The first text that is embedded, for people who read lists of requests; none where nothing can be embedded.
fn first_text(input: &Value) -> Option<String> {
    match input {
        Value::String(text) => Some(text.clone()),
        Value::Array(inputs) => Some(inputs.first().and_then(Value::as_str).unwrap_or("(tokens)").to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The provider's document, from the pieces in which it was recorded.
async fn embedded(surface: &Surface, id: RequestId) -> Result<Response, Problem> {
    let mut following = Following::open(surface, id, Choices::gathering(DIALECT)).await?;
    let mut client = PresentClient::new(surface, id);
    let whole = following.whole().await?;
    client.has_it_all();
    let choices = whole.map_err(|failure| problem_of(&failure))?;
    let [WholeChoice { deltas, .. }] = &choices[..] else {
        return Err(problem_of(&without_a_word()));
    };
    let document: String = deltas.iter().map(|delta| delta.text.as_str()).collect();
    Ok(answer::document(document.into_bytes()))
}
