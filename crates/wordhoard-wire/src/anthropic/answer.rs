use std::collections::HashMap;

use serde_json::{Value, json};
use wordhoard_model::Failure;

use super::decoder::block_start;
use super::event::{Message, UsageBody};
use super::{finish_reason, stop_reason};
use crate::clean_text::model_name;
use crate::error_body::classify_error_body;
use crate::whole::{self, Block};
use crate::{AnswerHead, Completion, Delta, stream};

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    if let Some(failure) = classify_error_body(body) {
        return Err(failure);
    }
    let message: Message = serde_json::from_slice(body).map_err(|error| stream::bad_event(&error))?;
    let mut calls = HashMap::new();
    for (index, block) in (0..).zip(&message.content) {
        out.extend(block_start(block, index, &mut calls));
    }
    let reason = message.stop_reason.ok_or_else(stream::cut)?;
    Ok(Completion {
        finish_reason: Some(finish_reason(&reason)?),
        usage: message.usage.and_then(UsageBody::to_usage),
        answered_by: model_name(message.model),
        envelope: None,
    })
}

/// An answer as one body. A refusal becomes text.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    let content = |block: Block| match block {
        Block::Text(text) | Block::Refusal(text) => Some(json!({"type": "text", "text": text})),
        Block::Reasoning(text) => Some(json!({"type": "thinking", "thinking": text, "signature": ""})),
        Block::ToolCall(call) => {
            let (id, name) = (call.id.clone().unwrap_or_default(), call.name.clone().unwrap_or_default());
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": call.input()}))
        }
        // Of what a stream adds to a block, nothing stands by itself here.
        Block::Annotation(said) => {
            let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
            (!kind.is_empty() && !kind.ends_with("_delta")).then_some(said)
        }
    };
    let content: Vec<Value> = whole::blocks(deltas).into_iter().filter_map(content).collect();
    json!({
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": stop_reason(completion.finish_reason.as_ref()),
        "stop_sequence": null,
        "usage": UsageBody::from(completion.usage.unwrap_or_default()),
    })
    .to_string()
    .into_bytes()
}
