use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind};

use super::decoder::MessageFold;
use super::encoder::{Place, message_value, place_of};
use super::event::UsageBody;
use super::{CALL_ID_PREFIX, stop_reason};
use crate::error_body::classify_error_body;
use crate::stream::{self, Fold};
use crate::whole::{self, Block};
use crate::{AnswerHead, Completion, Delta, tolerant};

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    if let Some(failure) = classify_error_body(body) {
        return Err(failure);
    }
    let message = tolerant::read_bytes(body).map_err(|error| stream::bad_event(&error))?;
    let mut fold = MessageFold::default();
    fold.take_message(message, out);
    fold.finish()
}

/// An answer as one body. A refusal becomes text.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    let mut content: Vec<Value> = Vec::new();
    for block in whole::blocks(CALL_ID_PREFIX, &head.id, deltas) {
        match block {
            Block::Text(text) | Block::Refusal(text) => content.push(text_block(&text)),
            Block::Reasoning(text) => {
                content.push(json!({"type": "thinking", "thinking": text, "signature": ""}));
            }
            Block::ToolCall(call) => {
                let (id, name) = (call.id.clone().unwrap_or_default(), call.name.clone().unwrap_or_default());
                content.push(tool_use_block(&id, &name, &call.input()));
            }
            Block::Annotation(said) => match place_of(&said) {
                Place::Block => content.push(said),
                Place::WithinBlock(kind) => add_to_block(kind, &said, &mut content),
                Place::Nowhere => {}
            },
        }
    }
    let reason = stop_reason(completion.finish_reason.as_ref());
    let mut message = message_value(head, content.into(), Some(reason));
    message["usage"] = json!(UsageBody::from(completion.usage.unwrap_or_default()));
    message.to_string().into_bytes()
}

/// Strict clients want every field of a block: <https://github.com/anthropics/anthropic-sdk-python>, `types/text_block.py`.
pub(super) fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text, "citations": null})
}

/// The model itself called, no tool of the provider: `types/tool_use_block.py`, `types/direct_caller.py`.
pub(super) fn tool_use_block(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input, "caller": {"type": "direct"}})
}

/// What a stream adds to a block, in the last one of that kind.
fn add_to_block(kind: TokenKind, said: &Value, content: &mut [Value]) {
    let block_type = if kind == TokenKind::Reasoning { "thinking" } else { "text" };
    let Some(block) = content.last_mut().filter(|block| block["type"] == block_type) else { return };
    match said["type"].as_str() {
        Some("signature_delta") => block["signature"] = said["signature"].clone(),
        Some("citations_delta") => match &mut block["citations"] {
            Value::Array(citations) => citations.push(said["citation"].clone()),
            none => *none = json!([said["citation"]]),
        },
        _ => {}
    }
}
