use serde_json::Value;
use wordhoard_model::{Conversation, ResponseFormat};

use super::client_messages::{note_cache_mark, take_message};
use super::client_tools::take_tools;
use crate::fields::{count, flag, list, number, object, text, texts};
use crate::{ClientRequest, InvalidRequest, field_kind};

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
        temperature: number(&mut fields, "temperature")?,
        top_p: number(&mut fields, "top_p")?,
        stop: texts(&mut fields, "stop_sequences")?,
        ..Conversation::default()
    };
    asked.system = system(fields.remove("system"), &mut asked)?;
    let messages = list(&mut fields, "messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(InvalidRequest::field("messages", "must be a list that is not empty"));
    }
    for (place, message) in messages.iter().enumerate() {
        take_message(&format!("messages[{place}]"), message, &mut asked)?;
    }
    take_tools(&mut fields, &mut asked)?;
    take_thinking(fields.remove("thinking"), &mut asked);
    take_output_config(fields.remove("output_config"), &mut asked);
    if let Some(user) = fields.remove("metadata").as_ref().and_then(|metadata| metadata.get("user_id")) {
        asked.further.insert("user".to_owned(), user.clone());
    }
    for (name, value) in fields {
        match name.as_str() {
            "top_k" if !value.is_null() => drop(asked.further.insert(name, value)),
            // The tier by its name in the chat dialect.
            "service_tier" if value == "auto" => drop(asked.further.insert(name, value)),
            "service_tier" if value == "standard_only" => drop(asked.further.insert(name, "default".into())),
            _ => field_kind::leave(&name, &value, "other dialects", &mut asked),
        }
    }
    Ok(ClientRequest { model: Some(model), stream, include_usage: true, conversation: asked })
}

fn system(written: Option<Value>, asked: &mut Conversation) -> Result<Option<String>, InvalidRequest> {
    match written {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Value::Array(blocks)) => {
            blocks.iter().for_each(|block| note_cache_mark(block, asked));
            let texts: Vec<_> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
            Ok(Some(texts.join("\n\n")))
        }
        Some(_) => Err(InvalidRequest::field("system", "must be a string or a list of text blocks")),
    }
}

/// The effort of which the budget is a share of the limit. Where the model chooses the budget itself, the effort does.
fn take_thinking(written: Option<Value>, asked: &mut Conversation) {
    let Some(thinking) = written else { return };
    match thinking.get("type").and_then(Value::as_str) {
        Some("enabled") => {}
        // Switched off, it is as without the field; left to the model, it is as the effort says.
        _ => return,
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

/// The form of the answer, and the effort: <https://platform.claude.com/docs/en/build-with-claude/effort>. The highest one here
/// is above those that other dialects know.
fn take_output_config(written: Option<Value>, asked: &mut Conversation) {
    let Some(config) = written else { return };
    if let Some(schema) = config.pointer("/format/schema") {
        asked.response_format = Some(ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema: schema.clone(),
            strict: None,
        });
    }
    let effort = config.get("effort").and_then(Value::as_str);
    if let (Some(effort), None | Some("minimal" | "low" | "medium" | "high")) =
        (effort, asked.reasoning_effort.as_deref())
    {
        asked.reasoning_effort = Some(if effort == "max" { "high" } else { effort }.to_owned());
    }
}
