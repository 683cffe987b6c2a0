use serde_json::{Map, Value};
use wordhoard_model::{Conversation, Image, Message, Part, ToolCall};

use super::options;
use crate::tool_shape::custom_arguments;
use crate::{ClientRequest, InvalidRequest};

/// Reads a client's request.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| InvalidRequest::body(format!("is no JSON object: {error}")))?;
    let model = match fields.remove("model") {
        Some(Value::String(model)) if !model.is_empty() => model,
        Some(_) => return Err(InvalidRequest::field("model", "must be a string that is not empty")),
        None => return Err(InvalidRequest::field("model", "is missing")),
    };
    let stream = match fields.remove("stream") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(stream)) => Some(stream),
        Some(_) => return Err(InvalidRequest::field("stream", "must be true or false")),
    };
    let include_usage = match fields.remove("stream_options") {
        None | Some(Value::Null) => false,
        Some(Value::Object(options)) => {
            options.get("include_usage").and_then(Value::as_bool).unwrap_or(false)
        }
        Some(_) => return Err(InvalidRequest::field("stream_options", "must be an object")),
    };
    let mut conversation = Conversation::default();
    match fields.remove("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => take_messages(messages, &mut conversation)?,
        Some(_) => return Err(InvalidRequest::field("messages", "must be a list that is not empty")),
        None => return Err(InvalidRequest::field("messages", "is missing")),
    }
    options::take(fields, &mut conversation)?;
    Ok(ClientRequest { model: Some(model), stream, include_usage, conversation })
}

/// Reads a list of messages into the conversation.
pub(crate) fn take_messages(
    messages: Vec<Value>,
    conversation: &mut Conversation,
) -> Result<(), InvalidRequest> {
    for (place, message) in messages.into_iter().enumerate() {
        let at = format!("messages[{place}]");
        let Value::Object(message) = message else {
            return Err(InvalidRequest::field(at, "must be an object"));
        };
        take_message(&at, message, conversation)?;
    }
    Ok(())
}

fn take_message(
    at: &str,
    mut message: Map<String, Value>,
    conversation: &mut Conversation,
) -> Result<(), InvalidRequest> {
    let content = message.remove("content").unwrap_or_default();
    let parts = parts(at, content, conversation)?;
    for mark in
        ["name", "reasoning_content", "reasoning", "reasoning_details", "annotations", "cache_control"]
    {
        let is_of_tool = mark == "name" && message.get("role").is_some_and(|role| role == "tool");
        if !is_of_tool && message.get(mark).is_some_and(is_said) {
            conversation.leave_hint(format!("messages.{mark}"));
        }
    }
    match message.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => conversation.add_instruction(parts),
        Some("user") => conversation.messages.push(Message::User(parts)),
        Some("assistant") => {
            let tool_calls = match message.remove("tool_calls") {
                None | Some(Value::Null) => Vec::new(),
                Some(calls) => tool_calls(at, &calls)?,
            };
            for field in ["audio", "function_call"]
                .into_iter()
                .filter(|field| message.get(*field).is_some_and(is_said))
            {
                conversation.leave_unplaced(format!("{at}.{field}"), "has no counterpart in other dialects");
            }
            conversation.messages.push(Message::Assistant { parts, tool_calls });
        }
        Some("tool") => {
            let call_id = text_of(&message, "tool_call_id")
                .ok_or_else(|| InvalidRequest::field(format!("{at}.tool_call_id"), "is missing"))?;
            let name = text_of(&message, "name");
            conversation.messages.push(Message::ToolResult { call_id, name, parts, is_error: false });
        }
        _ => {
            let problem = "must be system, developer, user, assistant or tool";
            return Err(InvalidRequest::field(format!("{at}.role"), problem));
        }
    }
    Ok(())
}

/// Whether a field says anything.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn parts(at: &str, content: Value, asked: &mut Conversation) -> Result<Vec<Part>, InvalidRequest> {
    match content {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(parts) => {
            let of_place = |(place, part): (usize, &Value)| {
                one_part(&format!("{at}.content[{place}]"), part, asked).transpose()
            };
            parts.iter().enumerate().filter_map(of_place).collect()
        }
        _ => Err(InvalidRequest::field(format!("{at}.content"), "must be a string or a list of parts")),
    }
}

/// None for a part of a kind that has no place in a conversation, such as sound or a file.
fn one_part(at: &str, part: &Value, asked: &mut Conversation) -> Result<Option<Part>, InvalidRequest> {
    if part.get("cache_control").is_some_and(is_said) {
        asked.leave_hint("cache_control");
    }
    if part.pointer("/image_url/detail").is_some_and(|detail| is_said(detail) && *detail != "auto") {
        asked.leave_hint("image_url.detail");
    }
    let placed = match part.get("type").and_then(Value::as_str) {
        Some("text") => match part.get("text").and_then(Value::as_str) {
            Some(text) => Ok(Part::Text(text.to_owned())),
            None => Err(InvalidRequest::field(format!("{at}.text"), "must be a string")),
        },
        Some("refusal") => match part.get("refusal").and_then(Value::as_str) {
            Some(text) => Ok(Part::Text(text.to_owned())),
            None => Err(InvalidRequest::field(format!("{at}.refusal"), "must be a string")),
        },
        Some("image_url") => {
            let url = part.pointer("/image_url/url").and_then(Value::as_str);
            url.and_then(image_of_url).map(Part::Image).ok_or_else(|| {
                InvalidRequest::field(format!("{at}.image_url.url"), "must be a URL, or data:…;base64,…")
            })
        }
        Some(kind) => {
            let problem = format!("is {kind}, which has no counterpart in other dialects");
            asked.leave_unplaced(format!("{at}.type"), problem);
            return Ok(None);
        }
        None => Err(InvalidRequest::field(format!("{at}.type"), "must be text or image_url")),
    };
    placed.map(Some)
}

/// The image that a URL names or holds; none where it holds one in another way than base64.
pub(crate) fn image_of_url(url: &str) -> Option<Image> {
    let Some(data) = url.strip_prefix("data:") else {
        return Some(Image::Url(url.to_owned()));
    };
    let (media_type, base64) = data.split_once(";base64,")?;
    Some(Image::Inline { media_type: media_type.to_owned(), base64: base64.to_owned() })
}

/// The URL that names or holds an image.
pub(crate) fn url_of_image(image: &Image) -> String {
    match image {
        Image::Url(url) => url.clone(),
        Image::Inline { media_type, base64 } => format!("data:{media_type};base64,{base64}"),
    }
}

fn tool_calls(at: &str, calls: &Value) -> Result<Vec<ToolCall>, InvalidRequest> {
    let one = |(place, call)| one_call(&format!("{at}.tool_calls[{place}]"), call);
    match calls {
        Value::Array(calls) => calls.iter().enumerate().map(one).collect(),
        _ => Err(InvalidRequest::field(format!("{at}.tool_calls"), "must be a list")),
    }
}

/// The call of a custom tool becomes one of the function that stands for it.
fn one_call(at: &str, call: &Value) -> Result<ToolCall, InvalidRequest> {
    let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if let (Some(id), Some(name), Some(input)) = (text("/id"), text("/custom/name"), text("/custom/input")) {
        return Ok(ToolCall::new(id, name, custom_arguments(&input)));
    }
    match (text("/id"), text("/function/name"), text("/function/arguments")) {
        (Some(id), Some(name), Some(arguments)) => Ok(ToolCall::new(id, name, arguments)),
        _ => {
            let problem = "must have an id and a function with name and arguments, all of them strings";
            Err(InvalidRequest::field(at, problem))
        }
    }
}

fn text_of(message: &Map<String, Value>, field: &str) -> Option<String> {
    message.get(field).and_then(Value::as_str).map(str::to_owned)
}
