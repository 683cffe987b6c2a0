//! The messages of a client's request.

use serde_json::{Value, json};
use wordhoard_model::{Conversation, Image, Message, Part, ToolCall};

use crate::InvalidRequest;

/// One message here may be several elsewhere: each tool result is one of its own.
pub(super) fn take_message(
    at: &str,
    message: &Value,
    asked: &mut Conversation,
) -> Result<(), InvalidRequest> {
    let blocks = match message.get("content") {
        Some(Value::String(text)) => vec![json!({"type": "text", "text": text})],
        Some(Value::Array(blocks)) => blocks.clone(),
        _ => {
            return Err(InvalidRequest::field(
                format!("{at}.content"),
                "must be a string or a list of blocks",
            ));
        }
    };
    let role = message.get("role").and_then(Value::as_str);
    if !matches!(role, Some("user" | "assistant" | "system")) {
        return Err(InvalidRequest::field(format!("{at}.role"), "must be user, assistant or system"));
    }
    let (mut parts, mut tool_calls) = (Vec::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        let text = |field: &str| block.get(field).and_then(Value::as_str).map(str::to_owned);
        note_cache_mark(block, asked);
        match text("type").as_deref() {
            Some("text" | "image") => parts.push(part(&at, block)?),
            Some("tool_use") => match (text("id"), text("name")) {
                (Some(id), Some(name)) => {
                    let arguments = block.get("input").cloned().unwrap_or_else(|| json!({})).to_string();
                    tool_calls.push(ToolCall::new(id, name, arguments));
                }
                _ => return Err(InvalidRequest::field(at, "must have an id and a name")),
            },
            Some("tool_result") => {
                let call_id = text("tool_use_id")
                    .ok_or_else(|| InvalidRequest::field(format!("{at}.tool_use_id"), "is missing"))?;
                if !parts.is_empty() {
                    asked.messages.push(Message::User(std::mem::take(&mut parts)));
                }
                let parts = result_parts(&at, block.get("content"), asked)?;
                let is_error = block.get("is_error").and_then(Value::as_bool).unwrap_or(false);
                asked.messages.push(Message::ToolResult { call_id, name: None, parts, is_error });
            }
            // Reasoning of earlier turns belongs to the model that made it.
            Some("thinking" | "redacted_thinking") => asked.leave_hint("messages.thinking"),
            // What a tool of the provider did in an earlier turn; the text that came of it stands beside it.
            Some(kind) if kind == "server_tool_use" || kind.ends_with("_tool_result") => {
                asked.leave_hint(format!("messages.{kind}"));
            }
            Some(kind) => {
                let problem = format!("is {kind}, which has no counterpart in other dialects");
                asked.leave_unplaced(format!("{at}.type"), problem);
            }
            None => return Err(InvalidRequest::field(format!("{at}.type"), "is missing")),
        }
    }
    match role {
        Some("assistant") => asked.messages.push(Message::Assistant { parts, tool_calls }),
        Some("system") => asked.add_instruction(parts),
        _ if parts.is_empty() => {}
        _ => asked.messages.push(Message::User(parts)),
    }
    Ok(())
}

/// A mark for the provider's cache has no place in a conversation.
pub(super) fn note_cache_mark(block: &Value, asked: &mut Conversation) {
    if block.get("cache_control").is_some_and(|mark| !mark.is_null()) {
        asked.leave_hint("cache_control");
    }
}

fn result_parts(
    at: &str,
    content: Option<&Value>,
    asked: &mut Conversation,
) -> Result<Vec<Part>, InvalidRequest> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(blocks)) => {
            let mut parts = Vec::new();
            for block in blocks {
                match block.get("type").and_then(Value::as_str) {
                    None | Some("text" | "image") => parts.push(part(at, block)?),
                    // A tool that was found and is offered now; all tools are offered in other dialects.
                    Some("tool_reference") => {
                        asked.leave_hint("tool_reference");
                        let name = block.get("tool_name").and_then(Value::as_str).unwrap_or_default();
                        parts.push(Part::Text(format!("The tool {name} can be called now.")));
                    }
                    Some(kind) => {
                        let problem = format!(
                            "holds a block of type {kind}, which has no counterpart in other dialects"
                        );
                        asked.leave_unplaced(format!("{at}.content"), problem);
                    }
                }
            }
            Ok(parts)
        }
        Some(_) => {
            Err(InvalidRequest::field(format!("{at}.content"), "must be a string or a list of blocks"))
        }
    }
}

fn part(at: &str, block: &Value) -> Result<Part, InvalidRequest> {
    let text = |pointer: &str| block.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match (text("/type").as_deref(), text("/source/type").as_deref()) {
        (Some("text"), _) => {
            let said = text("/text")
                .ok_or_else(|| InvalidRequest::field(format!("{at}.text"), "must be a string"))?;
            Ok(Part::Text(said))
        }
        (Some("image"), Some("url")) if text("/source/url").is_some() => {
            Ok(Part::Image(Image::Url(text("/source/url").unwrap_or_default())))
        }
        (Some("image"), Some("base64")) => match (text("/source/media_type"), text("/source/data")) {
            (Some(media_type), Some(base64)) => Ok(Part::Image(Image::Inline { media_type, base64 })),
            _ => Err(InvalidRequest::field(format!("{at}.source"), "must have a media_type and data")),
        },
        _ => Err(InvalidRequest::field(at, "must be text, or an image by url or base64")),
    }
}
