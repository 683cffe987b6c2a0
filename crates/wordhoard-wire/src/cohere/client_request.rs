use serde_json::{Value, json};
use wordhoard_model::{Conversation, ResponseFormat, ToolChoice};

use super::request::effort;
use crate::fields::{count, flag, integer, list, number, object, text, texts};
use crate::openai_chat::{take_messages, tools};
use crate::{ClientRequest, InvalidRequest, field_kind};

/// Reads a client's request.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields = object(body)?;
    let model = text(&mut fields, "model")?.ok_or_else(|| InvalidRequest::field("model", "is missing"))?;
    let stream = flag(&mut fields, "stream")?;
    let mut asked = Conversation {
        max_tokens: count(&mut fields, "max_tokens")?,
        temperature: number(&mut fields, "temperature")?,
        top_p: number(&mut fields, "p")?,
        seed: integer(&mut fields, "seed")?,
        stop: texts(&mut fields, "stop_sequences")?,
        frequency_penalty: number(&mut fields, "frequency_penalty")?,
        presence_penalty: number(&mut fields, "presence_penalty")?,
        reasoning_effort: fields.remove("thinking").as_ref().and_then(effort),
        ..Conversation::default()
    };
    let mut messages = list(&mut fields, "messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(InvalidRequest::field("messages", "must be a list that is not empty"));
    }
    messages.iter_mut().for_each(as_chat);
    take_messages(messages, &mut asked)?;
    if let Some(written) = fields.remove("tools").filter(|tools| !tools.is_null()) {
        asked.tools = tools(&written)?;
    }
    if flag(&mut fields, "strict_tools")? == Some(true) {
        asked.tools.iter_mut().for_each(|tool| tool.strict = Some(true));
    }
    asked.tool_choice = match text(&mut fields, "tool_choice")?.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(InvalidRequest::field("tool_choice", "must be REQUIRED or NONE")),
    };
    if let Some(format) = fields.remove("response_format").filter(|format| !format.is_null()) {
        asked.response_format = Some(response_format(&format)?);
    }
    if let Some(top_k) = fields.remove("k").filter(|top_k| !top_k.is_null()) {
        asked.further.insert("top_k".to_owned(), top_k);
    }
    for (name, value) in fields {
        field_kind::leave(&name, &value, "other dialects", &mut asked);
    }
    Ok(ClientRequest { model: Some(model), stream, include_usage: true, conversation: asked })
}

/// The parts that only this dialect has, as those of the chat dialect: documents are text, and the reasoning of earlier
/// turns belongs to the model that made it.
fn as_chat(message: &mut Value) {
    let Some(parts) = message.get_mut("content").and_then(Value::as_array_mut) else { return };
    parts.retain(|part| part.get("type").and_then(Value::as_str) != Some("thinking"));
    for part in parts {
        if let Some(data) = part.pointer("/document/data") {
            let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
            *part = json!({"type": "text", "text": text});
        }
    }
}

fn response_format(format: &Value) -> Result<ResponseFormat, InvalidRequest> {
    let schema = format.get("schema").or_else(|| format.get("json_schema"));
    match (format.get("type").and_then(Value::as_str), schema) {
        (Some("text"), _) => Ok(ResponseFormat::Text),
        (Some("json_object"), None) => Ok(ResponseFormat::JsonObject),
        (Some("json_object"), Some(schema)) => Ok(ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema: schema.clone(),
            strict: None,
        }),
        _ => Err(InvalidRequest::field("response_format", "must be of type text or json_object")),
    }
}
