use serde_json::{Value, json};
use wordhoard_model::{Conversation, Message, Part, ResponseFormat, Tool, ToolChoice};

use super::client_input::take_item;
use crate::fields::{count, flag, list, number, object, text};
use crate::{ClientRequest, InvalidRequest};

/// Reads a client's request.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields = object(body)?;
    let model = text(&mut fields, "model")?.ok_or_else(|| InvalidRequest::field("model", "is missing"))?;
    let stream = flag(&mut fields, "stream")?;
    for name in ["previous_response_id", "conversation", "prompt"] {
        if fields.remove(name).is_some_and(|value| !value.is_null()) {
            return Err(InvalidRequest::field(name, "is not supported: send the whole conversation"));
        }
    }
    if flag(&mut fields, "background")? == Some(true) {
        return Err(InvalidRequest::field("background", "is not supported"));
    }
    let mut asked = Conversation {
        max_tokens: count(&mut fields, "max_output_tokens")?,
        temperature: number(&mut fields, "temperature")?,
        top_p: number(&mut fields, "top_p")?,
        parallel_tool_calls: flag(&mut fields, "parallel_tool_calls")?,
        system: text(&mut fields, "instructions")?,
        ..Conversation::default()
    };
    match fields.remove("input") {
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
    let tools = list(&mut fields, "tools")?.unwrap_or_default();
    for (place, written) in tools.iter().enumerate() {
        match written.get("type").and_then(Value::as_str) {
            Some(kind) if kind != "function" => {
                let problem = "must be of type function: this model has none of the provider's own tools";
                asked.leave_unplaced(format!("tools[{place}]"), problem);
            }
            _ => asked.tools.push(tool(place, written)?),
        }
    }
    if let Some(choice) = fields.remove("tool_choice").filter(|choice| !choice.is_null()) {
        match choice.get("type").and_then(Value::as_str) {
            Some(kind) if kind != "function" => asked.leave_unplaced(
                "tool_choice",
                "must be auto, none, required or name a function for this model",
            ),
            _ => asked.tool_choice = Some(tool_choice(&choice)?),
        }
    }
    if let Some(Value::Object(mut reasoning)) = fields.remove("reasoning") {
        asked.reasoning_effort = text(&mut reasoning, "effort")?;
        reasoning.retain(|_, value| !value.is_null());
        if !reasoning.is_empty() {
            asked.further.insert("reasoning".to_owned(), reasoning.into());
        }
    }
    if let Some(Value::Object(mut written)) = fields.remove("text") {
        if let Some(verbosity) = written.remove("verbosity").filter(|verbosity| !verbosity.is_null()) {
            asked.further.insert("verbosity".to_owned(), verbosity);
        }
        if let Some(format) = written.remove("format").filter(|format| !format.is_null()) {
            asked.response_format = Some(response_format(&format)?);
        }
    }
    asked.further.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    Ok(ClientRequest { model: Some(model), stream, include_usage: true, conversation: asked })
}

fn tool(place: usize, written: &Value) -> Result<Tool, InvalidRequest> {
    let wrong = |problem| InvalidRequest::field(format!("tools[{place}]"), problem);
    let text = |field: &str| written.get(field).and_then(Value::as_str).map(str::to_owned);
    if text("type").as_deref() != Some("function") {
        return Err(wrong("must be of type function: the provider's own tools are not supported"));
    }
    Ok(Tool {
        name: text("name").ok_or_else(|| wrong("must have a name"))?,
        description: text("description"),
        parameters: written.get("parameters").filter(|schema| !schema.is_null()).cloned(),
        strict: Some(written.get("strict").and_then(Value::as_bool).unwrap_or(true)),
    })
}

fn tool_choice(choice: &Value) -> Result<ToolChoice, InvalidRequest> {
    match (choice.as_str(), choice.get("name").and_then(Value::as_str)) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("required"), _) => Ok(ToolChoice::Required),
        (None, Some(name)) => Ok(ToolChoice::Function(name.to_owned())),
        _ => Err(InvalidRequest::field("tool_choice", "must be auto, none, required or name a function")),
    }
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
