//! The items of a client's request.

use serde_json::Value;
use wordhoard_model::{Conversation, Message, Part, ToolCall};

use super::tools::take_additional;
use crate::InvalidRequest;
use crate::compaction;
use crate::openai_chat::image_of_url;
use crate::tool_shape::{ADDITIONAL_TOOLS, LOCAL_SHELL, custom_arguments, flat_name, local_shell_arguments};

/// A turn of the assistant is several items here: its text, and each of its calls.
pub(super) fn take_item(at: &str, item: &Value, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let text = |field: &str| item.get(field).and_then(Value::as_str).map(str::to_owned);
    let needed = |field: &str| {
        text(field).ok_or_else(|| InvalidRequest::field(format!("{at}.{field}"), "must be a string"))
    };
    let function = |name: &str| flat_name(item.get("namespace").and_then(Value::as_str), name);
    match (text("type").as_deref(), text("role").as_deref()) {
        (None | Some("message"), Some("user")) => {
            let parts = parts(at, item, "content", asked)?;
            asked.messages.push(Message::User(parts));
        }
        (None | Some("message"), Some("assistant")) => {
            let parts = parts(at, item, "content", asked)?;
            asked.messages.push(Message::Assistant { parts, tool_calls: Vec::new() });
        }
        (None | Some("message"), Some("system" | "developer")) => {
            let parts = parts(at, item, "content", asked)?;
            asked.add_instruction(parts);
        }
        (Some("function_call"), _) => {
            let (id, name) = (needed("call_id")?, function(&needed("name")?));
            add_call(ToolCall::new(id, name, needed("arguments")?), asked);
        }
        (Some("custom_tool_call"), _) => {
            let (id, name) = (needed("call_id")?, function(&needed("name")?));
            add_call(ToolCall::new(id, name, custom_arguments(&needed("input")?)), asked);
        }
        (Some("local_shell_call"), _) => {
            let id = text("call_id").map_or_else(|| needed("id"), Ok)?;
            let arguments = local_shell_arguments(item.get("action"));
            add_call(ToolCall::new(id, LOCAL_SHELL, arguments), asked);
        }
        (Some("function_call_output" | "custom_tool_call_output" | "local_shell_call_output"), _) => {
            let call_id = text("call_id").map_or_else(|| needed("id"), Ok)?;
            let parts = parts(at, item, "output", asked)?;
            asked.messages.push(Message::ToolResult { call_id, name: None, parts, is_error: false });
        }
        (Some(ADDITIONAL_TOOLS), _) => take_additional(item, at, asked)?,
        // What another agent of the same client has said.
        (Some("agent_message"), _) => {
            let parts = parts(at, item, "content", asked)?;
            asked.messages.push(Message::User(parts));
        }
        // Reasoning of earlier turns belongs to the model that made it.
        (Some("reasoning"), _) => asked.leave_hint("input.reasoning"),
        (Some(compaction::ITEM), _) => match compaction::summary_of(item) {
            Some(summary) => asked.messages.push(Message::User(vec![Part::Text(summary)])),
            None => asked.leave_unplaced(
                format!("{at}.encrypted_content"),
                "is a summary that only the provider which made it can read",
            ),
        },
        (Some(compaction::TRIGGER), _) => compaction::ask_for_summary(asked),
        (Some(kind), _) if kind != "message" => {
            let problem = format!("is {kind}, which has no counterpart in other dialects");
            asked.leave_unplaced(format!("{at}.type"), problem);
        }
        (_, Some(role)) => {
            asked.leave_unplaced(
                format!("{at}.role"),
                format!("is {role:?}, which other dialects do not know"),
            );
        }
        _ => {
            let problem = "must be a message, a function_call, a function_call_output or reasoning";
            return Err(InvalidRequest::field(format!("{at}.type"), problem));
        }
    }
    Ok(())
}

fn add_call(call: ToolCall, asked: &mut Conversation) {
    match asked.messages.last_mut() {
        Some(Message::Assistant { tool_calls, .. }) => tool_calls.push(call),
        _ => asked.messages.push(Message::Assistant { parts: Vec::new(), tool_calls: vec![call] }),
    }
}

fn parts(at: &str, item: &Value, field: &str, asked: &mut Conversation) -> Result<Vec<Part>, InvalidRequest> {
    match item.get(field) {
        Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(parts)) => {
            let at = |place: usize| format!("{at}.{field}[{place}]");
            let of_place = |(place, part): (usize, &Value)| one_part(&at(place), part, asked).transpose();
            parts.iter().enumerate().filter_map(of_place).collect()
        }
        _ => Err(InvalidRequest::field(format!("{at}.{field}"), "must be a string or a list of parts")),
    }
}

/// None for a part of a kind that has no place in a conversation, such as a file.
fn one_part(at: &str, part: &Value, asked: &mut Conversation) -> Result<Option<Part>, InvalidRequest> {
    let text = |field: &str| part.get(field).and_then(Value::as_str).map(str::to_owned);
    let said = match text("type").as_deref() {
        Some("input_text" | "output_text" | "text") => text("text"),
        Some("refusal") => text("refusal"),
        Some("input_image") => {
            if part.get("detail").is_some_and(|detail| !detail.is_null() && *detail != "auto") {
                asked.leave_hint("input_image.detail");
            }
            let image = text("image_url").as_deref().and_then(image_of_url).map(Part::Image);
            // One that was uploaded to the provider has an id there.
            if part.get("file_id").is_some_and(Value::is_string) {
                asked.leave_unplaced(format!("{at}.file_id"), "names a file that only its own provider has");
                return Ok(None);
            }
            let wrong =
                || InvalidRequest::field(format!("{at}.image_url"), "must be a URL, or data:…;base64,…");
            return image.ok_or_else(wrong).map(Some);
        }
        Some(kind) => {
            let problem = format!("is {kind}, which has no counterpart in other dialects");
            asked.leave_unplaced(format!("{at}.type"), problem);
            return Ok(None);
        }
        None => {
            let problem = "must be input_text, input_image, output_text or refusal";
            return Err(InvalidRequest::field(format!("{at}.type"), problem));
        }
    };
    said.map(Part::Text).map(Some).ok_or_else(|| InvalidRequest::field(at, "must have a text"))
}
