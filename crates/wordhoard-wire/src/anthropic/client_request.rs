use serde_json::{Value, json};
use wordhoard_model::{Conversation, Image, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice};

use crate::fields::{count, flag, list, number, object, text, texts};
use crate::{ClientRequest, InvalidRequest};

/// Reads a client's request.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields = object(body)?;
    let model = text(&mut fields, "model")?.ok_or_else(|| InvalidRequest::field("model", "is missing"))?;
    let stream = flag(&mut fields, "stream")?;
    let max_tokens = count(&mut fields, "max_tokens")?;
    let mut asked = Conversation {
        max_tokens: Some(max_tokens.ok_or_else(|| InvalidRequest::field("max_tokens", "is missing"))?),
        system: system(fields.remove("system"))?,
        temperature: number(&mut fields, "temperature")?,
        top_p: number(&mut fields, "top_p")?,
        stop: texts(&mut fields, "stop_sequences")?,
        ..Conversation::default()
    };
    let messages = list(&mut fields, "messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(InvalidRequest::field("messages", "must be a list that is not empty"));
    }
    for (place, message) in messages.iter().enumerate() {
        take_message(&format!("messages[{place}]"), message, &mut asked)?;
    }
    let tools = list(&mut fields, "tools")?.unwrap_or_default();
    for (place, written) in tools.iter().enumerate() {
        // The provider's own tools have a type of their own.
        if written.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "custom") {
            asked.tools.push(tool(place, written)?);
        } else {
            asked.leave_unplaced(format!("tools[{place}]"), "must have an input_schema for this model");
        }
    }
    take_tool_choice(fields.remove("tool_choice"), &mut asked)?;
    take_thinking(fields.remove("thinking"), &mut asked);
    if let Some(schema) =
        fields.remove("output_config").as_ref().and_then(|config| config.pointer("/format/schema"))
    {
        asked.response_format = Some(ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema: schema.clone(),
            strict: None,
        });
    }
    if let Some(user) = fields.remove("metadata").as_ref().and_then(|metadata| metadata.get("user_id")) {
        asked.further.insert("user".to_owned(), user.clone());
    }
    asked.further.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    Ok(ClientRequest { model: Some(model), stream, include_usage: true, conversation: asked })
}

fn system(written: Option<Value>) -> Result<Option<String>, InvalidRequest> {
    match written {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(blocks)) => {
            let texts: Vec<_> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
            Ok(Some(texts.join("\n\n")))
        }
        Some(_) => Err(InvalidRequest::field("system", "must be a string or a list of text blocks")),
    }
}

/// One message here may be several elsewhere: each tool result is one of its own.
fn take_message(at: &str, message: &Value, asked: &mut Conversation) -> Result<(), InvalidRequest> {
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
    let is_user = match message.get("role").and_then(Value::as_str) {
        Some("user") => true,
        Some("assistant") => false,
        _ => return Err(InvalidRequest::field(format!("{at}.role"), "must be user or assistant")),
    };
    let (mut parts, mut tool_calls) = (Vec::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        let text = |field: &str| block.get(field).and_then(Value::as_str).map(str::to_owned);
        match text("type").as_deref() {
            Some("text" | "image") => parts.push(part(&at, block)?),
            Some("tool_use") => match (text("id"), text("name")) {
                (Some(id), Some(name)) => {
                    let arguments = block.get("input").cloned().unwrap_or_else(|| json!({})).to_string();
                    tool_calls.push(ToolCall { id, name, arguments });
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
                asked.messages.push(Message::ToolResult { call_id, name: None, parts });
            }
            // Reasoning of earlier turns belongs to the model that made it.
            Some("thinking" | "redacted_thinking") => {}
            Some(_) => {
                asked.leave_unplaced(format!("{at}.type"), "is no type of block that this model knows");
            }
            None => return Err(InvalidRequest::field(format!("{at}.type"), "is missing")),
        }
    }
    if !is_user {
        asked.messages.push(Message::Assistant { parts, tool_calls });
    } else if !parts.is_empty() {
        asked.messages.push(Message::User(parts));
    }
    Ok(())
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
            let is_known = |block: &&Value| {
                let kind = block.get("type").and_then(Value::as_str);
                kind.is_none_or(|kind| matches!(kind, "text" | "image"))
            };
            if !blocks.iter().all(|block| is_known(&block)) {
                asked.leave_unplaced(format!("{at}.content"), "may hold only text and images for this model");
            }
            blocks.iter().filter(is_known).map(|block| part(at, block)).collect()
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

fn tool(place: usize, written: &Value) -> Result<Tool, InvalidRequest> {
    let text = |field: &str| written.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").filter(|_| written.get("input_schema").is_some());
    Ok(Tool {
        name: name.ok_or_else(|| {
            InvalidRequest::field(format!("tools[{place}]"), "must have a name and an input_schema")
        })?,
        description: text("description"),
        parameters: written.get("input_schema").cloned(),
        strict: written.get("strict").and_then(Value::as_bool),
    })
}

fn take_tool_choice(written: Option<Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let Some(choice) = written.filter(|choice| !choice.is_null()) else { return Ok(()) };
    let name = || choice.get("name").and_then(Value::as_str).map(str::to_owned);
    asked.tool_choice = Some(match (choice.get("type").and_then(Value::as_str), name()) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("any"), _) => ToolChoice::Required,
        (Some("tool"), Some(name)) => ToolChoice::Function(name),
        _ => {
            return Err(InvalidRequest::field(
                "tool_choice",
                "must be of type auto, any, tool (with a name) or none",
            ));
        }
    });
    let alone = choice.get("disable_parallel_tool_use").and_then(Value::as_bool);
    asked.parallel_tool_calls = alone.map(|alone| !alone);
    Ok(())
}

/// The effort of which the budget is a share of the limit.
fn take_thinking(written: Option<Value>, asked: &mut Conversation) {
    let Some(thinking) = written else { return };
    if thinking.get("type").and_then(Value::as_str) != Some("enabled") {
        return;
    }
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0) as f64;
    let share = budget / f64::from(asked.max_tokens.unwrap_or(u32::MAX));
    let effort = match share {
        share if share < 0.15 => "minimal",
        share if share < 0.35 => "low",
        share if share < 0.65 => "medium",
        _ => "high",
    };
    asked.reasoning_effort = Some(effort.to_owned());
}
