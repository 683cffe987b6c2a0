use serde::Deserialize;
use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind};

use super::event::{Content, ToolCallBody, UsageBody, push};
use super::{CALL_ID_PREFIX, ending, told_reason};
use crate::ending::Seen;
use crate::error_body::classify_error_body;
use crate::whole::{self, Block};
use crate::{AnswerHead, Completion, Delta, stream, tolerant};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    tool_plan: Option<String>,
    #[serde(default)]
    content: Option<Vec<Content>>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCallBody>>,
    #[serde(default)]
    citations: Option<Vec<Value>>,
}

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    let told_failure = || classify_error_body(body);
    let whole: Whole = tolerant::read_bytes(body)
        .map_err(|error| told_failure().unwrap_or_else(|| stream::bad_event(&error)))?;
    if whole.finish_reason.is_none() {
        return Err(told_failure().unwrap_or_else(stream::cut));
    }
    let message = whole.message.ok_or_else(stream::cut)?;
    let before = out.len();
    push(out, TokenKind::Reasoning, message.tool_plan);
    message.content.into_iter().flatten().for_each(|content| content.into_deltas(out));
    for (index, call) in (0..).zip(message.tool_calls.into_iter().flatten()) {
        push(out, TokenKind::ToolCall, call.into_piece(index).to_text());
    }
    for citation in message.citations.into_iter().flatten() {
        push(out, TokenKind::Annotation, Some(citation.to_string()));
    }
    let mut seen = Seen::default();
    seen.note(&out[before..]);
    let told = whole.finish_reason.ok_or_else(stream::cut)?;
    Ok(Completion {
        usage: whole.usage.and_then(UsageBody::to_usage),
        ..ending(&told, whole.error.as_ref(), seen)?
    })
}

/// An answer as one body. A refusal becomes text.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    let (mut content, mut calls, mut citations) = (Vec::new(), Vec::new(), Vec::new());
    for block in whole::blocks(CALL_ID_PREFIX, &head.id, deltas) {
        match block {
            Block::Text(text) | Block::Refusal(text) => content.push(json!({"type": "text", "text": text})),
            Block::Reasoning(text) => content.push(json!({"type": "thinking", "thinking": text})),
            Block::ToolCall(call) => calls.push(json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.unwrap_or_default()},
            })),
            Block::Annotation(said) => citations.extend(is_citation(&said).then_some(said)),
        }
    }
    let mut message = json!({"role": "assistant", "content": content});
    for (name, list) in [("tool_calls", calls), ("citations", citations)] {
        if !list.is_empty() {
            message[name] = list.into();
        }
    }
    json!({
        "id": head.id,
        "message": message,
        "finish_reason": told_reason(completion.finish_reason.as_ref()),
        "usage": completion.usage.map(UsageBody::from),
    })
    .to_string()
    .into_bytes()
}

/// Whether it is one of this dialect's: they name their sources.
pub(super) fn is_citation(said: &Value) -> bool {
    said.get("sources").is_some()
}
