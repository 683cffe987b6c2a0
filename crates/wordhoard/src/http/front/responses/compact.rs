use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};
use wordhoard_providers::CallKind;
use wordhoard_wire::compaction;

use super::{DIALECT, accept, previous};
use crate::http::asker::Asker;
use crate::http::front::answer;
use crate::http::front::answer_bodies::CompactedAnswer;
use crate::http::front::ask::{self, Accepted, Answering, Asking, Client};
use crate::http::front::request_bodies::CompactBody;
use crate::http::front::responses::stored::Stored;
use crate::http::front::told_problems::OpenAiProblems;
use crate::http::problem::Problem;
use crate::http::request_path::Seen;
use crate::http::{Surface, body};

/// Compact a conversation: the answer holds a summary that takes its place in later requests.
///
/// A model is asked for the summary by an ordinary call, which is recorded and charged.
#[utoipa::path(
    post,
    path = "/v1/responses/compact",
    operation_id = "compact_response",
    tag = "drop-in",
    request_body(content = CompactBody, description = "See OpenAI's reference of `POST /v1/responses/compact`"),
    responses(
        (status = 200, description = "The items that take the place of the conversation", body = CompactedAnswer),
        OpenAiProblems<(Asking, Answering)>,
    )
)]
pub(in crate::http::front) async fn compact(
    State(surface): State<Surface>,
    asker: Asker,
    Seen(owners): Seen,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let mut fields = body::json_object(&headers, &bytes)?;
    if fields.get("stream").is_some_and(|stream| *stream == true) {
        return Err(ask::refused("stream", "must be false: a compacted conversation comes at once"));
    }
    let mut items = previous::items(fields.remove("input"));
    items.push(compaction::trigger());
    fields.insert("input".to_owned(), items.into());
    let mut client = Client::of(asker, DIALECT, &uri, &headers, (&bytes, &fields))?;
    client.recorded.call = CallKind::Compaction;
    let (_, accepted) = accept(&surface, fields, &owners, client).await?;
    let compacted = compacted(&surface, &accepted).await;
    Ok(accepted.annotate(compacted))
}

/// The answer as this call has it: <https://platform.openai.com/docs/api-reference/responses/compact>.
async fn compacted(surface: &Surface, accepted: &Accepted) -> Result<Response, Problem> {
    let id = accepted.request_id;
    let stored = Stored::find(surface, id).await?;
    let gathered = answer::gather(surface, id, stored.telling(0)?).await?;
    let body = gathered.map_err(|failure| crate::http::front::failures::problem_of(&failure))?;
    let mut response: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let mut take = |name: &str| response.remove(name).unwrap_or_default();
    let compacted = json!({
        "id": take("id"), "object": "response.compaction", "created_at": take("created_at"),
        "output": take("output"), "usage": take("usage"),
    });
    Ok(answer::document(compacted.to_string().into_bytes()))
}
