use serde_json::{Value, json};
use wordhoard_model::{Conversation, Message, Part, ResponseFormat};

use super::client_input::take_item;
use super::tools::{take_choice, take_tools};
use crate::fields::{Fields, count, flag, number, object, optional_text, text};
use crate::{ClientRequest, InvalidRequest, field_kind};

/// Fields that the chat dialect has too.
const FIELDS_OF_CHAT: [&str; 7] = [
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

/// Reads a client's request.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields = object(body)?;
    let model = text(&mut fields, "model")?.ok_or_else(|| InvalidRequest::field("model", "is missing"))?;
    let stream = flag(&mut fields, "stream")?;
    if fields.remove("previous_response_id").is_some_and(|value| !value.is_null()) {
        return Err(InvalidRequest::field(
            "previous_response_id",
            "is not supported: send the whole conversation",
        ));
    }
    let mut asked = Conversation {
        max_tokens: count(&mut fields, "max_output_tokens")?,
        temperature: number(&mut fields, "temperature")?,
        top_p: number(&mut fields, "top_p")?,
        parallel_tool_calls: flag(&mut fields, "parallel_tool_calls")?,
        system: optional_text(&mut fields, "instructions")?,
        ..Conversation::default()
    };
    let input = fields.remove("input");
    // Behind the input, which may offer tools that the choice names.
    let choice = fields.remove("tool_choice");
    take_tools(&mut fields, &mut asked)?;
    match input {
        Some(Value::String(text)) if !text.is_empty() => {
            asked.messages.push(Message::User(vec![Part::Text(text)]));
        }
        Some(Value::Array(items)) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                take_item(&format!("input[{place}]"), item, &mut asked)?;
            }
        }
        _ => return Err(InvalidRequest::field("input", "must be a text or a list of items, not empty")),
    }
    take_choice(choice, &mut asked)?;
    take_reasoning(fields.remove("reasoning"), &mut asked)?;
    take_text(fields.remove("text"), &mut asked)?;
    take_further(fields, &mut asked);
    Ok(ClientRequest { model: Some(model), stream, include_usage: true, conversation: asked })
}

/// What the chat dialect has too stands among its fields, the rest has no place.
fn take_further(fields: Fields, asked: &mut Conversation) {
    for (name, value) in fields {
        if FIELDS_OF_CHAT.contains(&name.as_str()) {
            if !value.is_null() {
                asked.further.insert(name, value);
            }
        } else {
            field_kind::leave(&name, &value, "the chat dialect", asked);
        }
    }
}

fn take_reasoning(written: Option<Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let Some(Value::Object(mut reasoning)) = written else { return Ok(()) };
    asked.reasoning_effort = optional_text(&mut reasoning, "effort")?;
    for (name, value) in reasoning {
        field_kind::leave(&format!("reasoning.{name}"), &value, "the chat dialect", asked);
    }
    Ok(())
}

fn take_text(written: Option<Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let Some(Value::Object(mut written)) = written else { return Ok(()) };
    if let Some(verbosity) = written.remove("verbosity").filter(|verbosity| !verbosity.is_null()) {
        asked.further.insert("verbosity".to_owned(), verbosity);
    }
    if let Some(format) = written.remove("format").filter(|format| !format.is_null()) {
        asked.response_format = Some(response_format(&format)?);
    }
    Ok(())
}

fn response_format(format: &Value) -> Result<ResponseFormat, InvalidRequest> {
    let wrong = |problem| InvalidRequest::field("text.format", problem);
    let text = |field: &str| format.get(field).and_then(Value::as_str).map(str::to_owned);
    match text("type").as_deref() {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => Ok(ResponseFormat::JsonSchema {
            name: text("name").ok_or_else(|| wrong("must have a name"))?,
            description: text("description"),
            schema: format.get("schema").cloned().unwrap_or_else(|| json!({})),
            strict: format.get("strict").and_then(Value::as_bool),
        }),
        _ => Err(wrong("must be of type text, json_object or json_schema")),
    }
}
