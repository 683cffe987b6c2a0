//! The items of an earlier response, for one that follows it.

use serde_json::{Map, Value, json};
use wordhoard_model::{Outcome, RequestId, RequestStatus};
use wordhoard_providers::conversation_of;
use wordhoard_store::Owners;

use super::stored::Stored;
use crate::http::Surface;
use crate::http::front::{answer, ask};
use crate::http::problem::Problem;
use crate::http::request_path::{check_seen, response_id};

const FIELD: &str = "previous_response_id";

/// Takes the id of the earlier response out of a request.
pub(super) fn take(fields: &mut Map<String, Value>) -> Result<Option<RequestId>, Problem> {
    match fields.remove(FIELD) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => match response_id(&id) {
            Some(id) => Ok(Some(id)),
            None => Err(ask::refused(FIELD, "is no id of a response")),
        },
        Some(_) => Err(ask::refused(FIELD, "must be a string")),
    }
}

/// The conversation of an earlier response and its answer. Its instructions are not carried over.
pub(super) async fn items_before(
    surface: &Surface,
    owners: &Owners,
    previous: RequestId,
) -> Result<Vec<Value>, Problem> {
    let refuse = |problem: &str| ask::refused(FIELD, problem);
    check_seen(surface, owners, previous).await.map_err(|_| refuse("names no response that is kept"))?;
    let earlier =
        Stored::find(surface, previous).await.map_err(|_| refuse("names no response that is kept"))?;
    if earlier.status() != RequestStatus::Finished(Outcome::Completed) {
        return Err(refuse("names a response that is not completed"));
    }
    if earlier.body().is_none() && conversation_of(earlier.prompt())?.loses_meaning() {
        return Err(refuse("names a request of another API that no response can follow"));
    }
    let mut before = earlier.items()?;
    let answer = answer::gather(surface, previous, earlier.telling(0)?).await?;
    let answer: Option<Value> = answer.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let Some(Value::Array(said)) = answer.and_then(|mut answer| Some(answer.get_mut("output")?.take()))
    else {
        return Err(refuse("names a response without an answer"));
    };
    before.extend(said.into_iter().map(without_id));
    Ok(before)
}

/// The items of an `input`: a text is the message of a user.
pub(super) fn items(input: Option<Value>) -> Vec<Value> {
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
