//! The items of a client's request.

use serde_json::Value;
use wordhoard_model::{Conversation, Message, Part, ToolCall};

use crate::InvalidRequest;
use crate::openai_chat::image_of_url;

/// A turn of the assistant is several items here: its text, and each of its calls.
pub(super) fn take_item(at: &str, item: &Value, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let text = |field: &str| item.get(field).and_then(Value::as_str).map(str::to_owned);
    let needed = |field: &str| {
        text(field).ok_or_else(|| InvalidRequest::field(format!("{at}.{field}"), "must be a string"))
    };
    match (text("type").as_deref(), text("role").as_deref()) {
        (None | Some("message"), Some("user")) => {
            asked.messages.push(Message::User(parts(at, item, "content")?));
        }
        (None | Some("message"), Some("assistant")) => {
            let parts = parts(at, item, "content")?;
            asked.messages.push(Message::Assistant { parts, tool_calls: Vec::new() });
        }
        (None | Some("message"), Some("system" | "developer")) => {
            let text = Part::text_of(&parts(at, item, "content")?);
            asked.system = Some(match asked.system.take() {
                Some(system) => format!("{system}\n\n{text}"),
                None => text,
            });
        }
        (Some("function_call"), _) => {
            let call =
                ToolCall { id: needed("call_id")?, name: needed("name")?, arguments: needed("arguments")? };
            match asked.messages.last_mut() {
                Some(Message::Assistant { tool_calls, .. }) => tool_calls.push(call),
                _ => asked.messages.push(Message::Assistant { parts: Vec::new(), tool_calls: vec![call] }),
            }
        }
        (Some("function_call_output"), _) => {
            let (call_id, parts) = (needed("call_id")?, parts(at, item, "output")?);
            asked.messages.push(Message::ToolResult { call_id, name: None, parts });
        }
        // Reasoning of earlier turns belongs to the model that made it.
        (Some("reasoning"), _) => {}
        _ => {
            let problem = "must be a message, a function_call, a function_call_output or reasoning";
            return Err(InvalidRequest::field(format!("{at}.type"), problem));
        }
    }
    Ok(())
}

fn parts(at: &str, item: &Value, field: &str) -> Result<Vec<Part>, InvalidRequest> {
    match item.get(field) {
        Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(parts)) => {
            let at = |place: usize| format!("{at}.{field}[{place}]");
            parts.iter().enumerate().map(|(place, part)| one_part(&at(place), part)).collect()
        }
        _ => Err(InvalidRequest::field(format!("{at}.{field}"), "must be a string or a list of parts")),
    }
}

fn one_part(at: &str, part: &Value) -> Result<Part, InvalidRequest> {
    let text = |field: &str| part.get(field).and_then(Value::as_str).map(str::to_owned);
    let said = match text("type").as_deref() {
        Some("input_text" | "output_text" | "text") => text("text"),
        Some("refusal") => text("refusal"),
        Some("input_image") => {
            let image = text("image_url").as_deref().and_then(image_of_url).map(Part::Image);
            return image.ok_or_else(|| {
                InvalidRequest::field(format!("{at}.image_url"), "must be a URL, or data:…;base64,…")
            });
        }
        _ => {
            let problem = "must be input_text, input_image, output_text or refusal";
            return Err(InvalidRequest::field(format!("{at}.type"), problem));
        }
    };
    said.map(Part::Text).ok_or_else(|| InvalidRequest::field(at, "must have a text"))
}
