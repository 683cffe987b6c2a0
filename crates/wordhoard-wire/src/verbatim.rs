//! Requests that go to a provider of the client's own dialect as they came: a conversation does not hold all that a dialect
//! can say (marks for a prompt's cache, signed reasoning, documents, the provider's own tools, what is still to come).

use serde_json::{Map, Value, json};
use wordhoard_model::{Capabilities, Conversation, Message, Part};

use crate::{Ask, CannotHonour, Dialect, Unsupported};

/// Fields of which each call has its own.
const OF_THE_CALL: [&str; 3] = ["model", "stream", "stream_options"];

/// Whether a request says more than its conversation does in the same dialect.
pub(crate) fn is_needed(dialect: Dialect, body: &Map<String, Value>, conversation: &Conversation) -> bool {
    let capabilities = Capabilities::default();
    let ask = Ask::of_nobody(conversation, &capabilities, Unsupported::Drop);
    let said = dialect.encode_request(&ask).ok().and_then(|body| serde_json::from_slice(&body).ok());
    let mut said: Map<String, Value> = said.unwrap_or_default();
    let mut asked = body.clone();
    for fields in [&mut said, &mut asked] {
        let is_of_the_call = |name: &str| {
            OF_THE_CALL.contains(&name) || (dialect == Dialect::OpenAiResponses && name == "store")
        };
        fields.retain(|name, value| !value.is_null() && !is_of_the_call(name));
    }
    !conversation.unplaced.is_empty() || said != asked
}

/// The request as it came, for the model and the way of the call. None where the model cannot honour some of it, and that is
/// to be left out.
///
/// # Errors
/// What the model is known not to be able to do, where such is refused.
pub(crate) fn fields(
    dialect: Dialect,
    body: &Map<String, Value>,
    ask: &Ask<'_>,
) -> Result<Option<Map<String, Value>>, CannotHonour> {
    let asked = ask.conversation;
    let is_honoured = ask.tools()?.len() == asked.tools.len()
        && ask.response_format()? == asked.response_format.as_ref()
        && (!has_images(asked) || ask.takes_images()?);
    if !is_honoured {
        return Ok(None);
    }
    let mut fields = body.clone();
    OF_THE_CALL.iter().for_each(|name| drop(fields.remove(*name)));
    fields.insert("model".to_owned(), ask.model.into());
    if ask.stream {
        fields.insert("stream".to_owned(), true.into());
    }
    if dialect == Dialect::OpenAiChat && ask.capabilities.max_completion_tokens {
        // The models that do not know the older name of the limit.
        if let Some(most) = fields.remove("max_tokens") {
            fields.entry("max_completion_tokens").or_insert(most);
        }
    }
    match dialect {
        Dialect::OpenAiChat if ask.stream => {
            let mut options =
                body.get("stream_options").cloned().filter(Value::is_object).unwrap_or(json!({}));
            options["include_usage"] = true.into();
            fields.insert("stream_options".to_owned(), options);
        }
        Dialect::OpenAiResponses => {
            fields.insert("store".to_owned(), false.into());
            if let Some(Value::Array(items)) = fields.get_mut("input") {
                items.retain(|item| !is_only_a_reference(item));
            }
        }
        _ => {}
    }
    Ok(Some(fields))
}

/// Reasoning that the provider would have to have kept, and has not:
/// <https://platform.openai.com/docs/guides/reasoning>, encrypted reasoning items.
fn is_only_a_reference(item: &Value) -> bool {
    item["type"] == "reasoning" && !item["encrypted_content"].is_string()
}

fn has_images(asked: &Conversation) -> bool {
    asked.messages.iter().any(|message| match message {
        Message::User(parts) | Message::Assistant { parts, .. } | Message::ToolResult { parts, .. } => {
            parts.iter().any(|part| matches!(part, Part::Image(_)))
        }
    })
}
