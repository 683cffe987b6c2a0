//! The messages of a client's request.

use serde_json::{Map, Value};
use wordhoard_model::{Image, Message, Part, ToolCall};

use super::client_request::camel_case;
use crate::InvalidRequest;

/// The text of a content, or of what clients write for one: a string, a list of parts.
pub(super) fn text_of(content: &Value) -> Option<String> {
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    let parts = content.get("parts").unwrap_or(content);
    let texts = match parts {
        Value::Array(parts) => {
            parts.iter().map(|part| part.get("text")?.as_str()).collect::<Option<Vec<_>>>()?
        }
        part => vec![part.get("text")?.as_str()?],
    };
    Some(texts.join("\n\n"))
}

/// One content may be several messages elsewhere: each result of a tool is one of its own.
pub(super) fn take_content(
    at: &str,
    content: Value,
    messages: &mut Vec<Message>,
) -> Result<(), InvalidRequest> {
    let is_user = match content.get("role").and_then(Value::as_str) {
        None | Some("user" | "function") => true,
        Some("model") => false,
        Some(_) => return Err(InvalidRequest::field(format!("{at}.role"), "must be user or model")),
    };
    let Some(Value::Array(written)) = content.get("parts") else {
        return Err(InvalidRequest::field(format!("{at}.parts"), "must be a list"));
    };
    let (mut parts, mut tool_calls) = (Vec::new(), Vec::new());
    for (place, part) in written.iter().enumerate() {
        let at = format!("{at}.parts[{place}]");
        let Value::Object(fields) = part else { return Err(InvalidRequest::field(at, "must be an object")) };
        match read_part(&at, camel_case(fields.clone()), tool_calls.len())? {
            Read::Part(part) => parts.push(part),
            Read::Call(call) => tool_calls.push(call),
            Read::Result(result) => {
                if !parts.is_empty() {
                    messages.push(Message::User(std::mem::take(&mut parts)));
                }
                messages.push(result);
            }
            Read::Nothing => {}
        }
    }
    if !is_user {
        messages.push(Message::Assistant { parts, tool_calls });
    } else if !parts.is_empty() {
        messages.push(Message::User(parts));
    }
    Ok(())
}

enum Read {
    Part(Part),
    Call(ToolCall),
    Result(Message),
    Nothing,
}

fn read_part(at: &str, part: Map<String, Value>, calls: usize) -> Result<Read, InvalidRequest> {
    let inner = |name: &str| part.get(name).and_then(Value::as_object).cloned().map(camel_case);
    let text =
        |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let wrong = |name: &str, problem: &str| InvalidRequest::field(format!("{at}.{name}"), problem);
    if let Some(said) = part.get("text") {
        let said = said.as_str().ok_or_else(|| wrong("text", "must be a string"))?;
        // Reasoning of earlier turns belongs to the model that made it; an empty text carries its signature.
        let is_thought = part.get("thought").and_then(Value::as_bool) == Some(true);
        let is_signature = said.is_empty() && part.contains_key("thoughtSignature");
        return Ok(if is_thought || is_signature {
            Read::Nothing
        } else {
            Read::Part(Part::Text(said.to_owned()))
        });
    }
    if let Some(data) = inner("inlineData") {
        return match (text(&data, "mimeType"), text(&data, "data")) {
            (Some(media_type), Some(base64)) => {
                Ok(Read::Part(Part::Image(Image::Inline { media_type, base64 })))
            }
            _ => Err(wrong("inlineData", "must have a mimeType and data")),
        };
    }
    if let Some(file) = inner("fileData") {
        let url = text(&file, "fileUri").ok_or_else(|| wrong("fileData", "must have a fileUri"))?;
        return Ok(Read::Part(Part::Image(Image::Url(url))));
    }
    if let Some(call) = inner("functionCall") {
        let name = text(&call, "name").ok_or_else(|| wrong("functionCall", "must have a name"))?;
        let arguments = call.get("args").map_or_else(|| "{}".to_owned(), Value::to_string);
        // The dialect can do without ids; the others cannot.
        let id = text(&call, "id").unwrap_or_else(|| format!("{name}-{calls}"));
        return Ok(Read::Call(ToolCall::new(id, name, arguments)));
    }
    if let Some(result) = inner("functionResponse") {
        let name = text(&result, "name").ok_or_else(|| wrong("functionResponse", "must have a name"))?;
        let response = result.get("response").cloned().unwrap_or_default();
        let only = |field: &str| match response.as_object().map(|fields| (fields.len(), fields.get(field))) {
            Some((1, Some(Value::String(text)))) => Some(text.clone()),
            _ => None,
        };
        let failed = only("error");
        let is_error = failed.is_some();
        let said = failed.or_else(|| only("result")).unwrap_or_else(|| response.to_string());
        let call_id = text(&result, "id").unwrap_or_else(|| format!("{name}-0"));
        return Ok(Read::Result(Message::ToolResult {
            call_id,
            name: Some(name),
            parts: vec![Part::Text(said)],
            is_error,
        }));
    }
    if part.contains_key("thoughtSignature") && part.len() == 1 {
        return Ok(Read::Nothing);
    }
    Err(InvalidRequest::field(at, "must have a text, inlineData, fileData, functionCall or functionResponse"))
}
