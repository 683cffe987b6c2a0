use bytes::BytesMut;
use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind, Usage};

use super::answer::{text_block, tool_use_block};
use super::error::error_value;
use super::event::UsageBody;
use super::{CALL_ID_PREFIX, stop_reason};
use crate::call_order::InOrder;
use crate::open_blocks::{OpenBlock, OpenBlocks};
use crate::{AnswerHead, Completion, Delta, EncodeStream, ToolCallPiece, sse};

/// An encoder for one answer as a stream. A refusal becomes text, for the dialect has no other place for it.
///
/// No event has an `id:` or `retry:` field: both break clients of this dialect.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    let id = head.id.clone();
    let encoder = MessageStream { head, opened: false, blocks: OpenBlocks::default() };
    Box::new(InOrder::new(encoder, CALL_ID_PREFIX, &id))
}

#[derive(Debug)]
struct MessageStream {
    head: AnswerHead,
    opened: bool,
    blocks: OpenBlocks,
}

impl EncodeStream for MessageStream {
    fn open(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        // The counts are not known yet, and the dialect has no place without them.
        let mut message = message_value(&self.head, json!([]), None);
        message["usage"] = json!(UsageBody::from(Usage::default()));
        write(out, "message_start", json!({"type": "message_start", "message": message}));
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.open(out);
        match delta.kind {
            TokenKind::Text | TokenKind::Refusal => {
                let index = self.block(out, TokenKind::Text);
                write_delta(out, index, json!({"type": "text_delta", "text": delta.text}));
            }
            TokenKind::Reasoning => {
                let index = self.block(out, TokenKind::Reasoning);
                write_delta(out, index, json!({"type": "thinking_delta", "thinking": delta.text}));
            }
            TokenKind::ToolCall => self.call(out, ToolCallPiece::from_text(&delta.text)),
            TokenKind::Annotation => {
                let said: Value = serde_json::from_str(&delta.text).unwrap_or_default();
                match place_of(&said) {
                    Place::Block => {
                        let place = self.blocks.enter_alone();
                        write_stop(out, place.closed);
                        write_start(out, place.index, &said);
                        write_stop_of(out, place.index);
                    }
                    Place::WithinBlock(kind) => {
                        let index = self.block(out, kind);
                        write_delta(out, index, said);
                    }
                    Place::Nowhere => {}
                }
            }
        }
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.open(out);
        write_stop(out, self.blocks.close_current());
        let usage = json!(UsageBody::from(completion.usage.unwrap_or_default()));
        let reason = stop_reason(completion.finish_reason.as_ref());
        let delta = json!({
            "stop_reason": reason,
            "stop_sequence": null,
            "stop_details": stop_details(reason),
            "container": null,
        });
        write(out, "message_delta", json!({"type": "message_delta", "delta": delta, "usage": usage}));
        write(out, "message_stop", json!({"type": "message_stop"}));
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        write(out, "error", error_value(failure));
    }
}

/// Where what a provider said beside its answer goes. What is of another dialect has no place here.
pub(super) enum Place {
    /// It is a block of its own.
    Block,
    /// It belongs to a block of that kind.
    WithinBlock(TokenKind),
    Nowhere,
}

pub(super) fn place_of(said: &Value) -> Place {
    match said.get("type").and_then(Value::as_str) {
        Some("redacted_thinking" | "server_tool_use" | "mcp_tool_use" | "container_upload") => Place::Block,
        Some(kind) if kind.ends_with("_tool_result") => Place::Block,
        Some("signature_delta") => Place::WithinBlock(TokenKind::Reasoning),
        Some("citations_delta") => Place::WithinBlock(TokenKind::Text),
        _ => Place::Nowhere,
    }
}

/// A message with every field that strict clients want:
/// <https://github.com/anthropics/anthropic-sdk-python>, `types/message.py`.
pub(super) fn message_value(head: &AnswerHead, content: Value, stop_reason: Option<&str>) -> Value {
    json!({
        "id": head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "stop_details": stop_reason.map(stop_details),
        "container": null,
    })
}

/// <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>: why it was refused; of another dialect's
/// provider that is not known.
fn stop_details(reason: &str) -> Value {
    match reason {
        "refusal" => json!({"type": "refusal", "category": null, "explanation": null}),
        _ => Value::Null,
    }
}

impl MessageStream {
    /// The block that such a piece goes into; opened where it is not open.
    fn block(&mut self, out: &mut BytesMut, kind: TokenKind) -> u64 {
        let entered = self.blocks.enter(kind);
        write_stop(out, entered.closed);
        if entered.is_new {
            let block = match kind {
                TokenKind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
                _ => text_block(""),
            };
            write_start(out, entered.index, &block);
        }
        entered.index
    }

    fn call(&mut self, out: &mut BytesMut, piece: ToolCallPiece) {
        let entered = self.blocks.enter_call(piece.index);
        write_stop(out, entered.closed);
        if entered.is_new {
            let (id, name) = (piece.id.unwrap_or_default(), piece.name.unwrap_or_default());
            write_start(out, entered.index, &tool_use_block(&id, &name, &json!({})));
        }
        if let Some(arguments) = piece.arguments.filter(|arguments| !arguments.is_empty()) {
            write_delta(out, entered.index, json!({"type": "input_json_delta", "partial_json": arguments}));
        }
    }
}

fn write_start(out: &mut BytesMut, index: u64, block: &Value) {
    let start = json!({"type": "content_block_start", "index": index, "content_block": block});
    write(out, "content_block_start", start);
}

fn write_delta(out: &mut BytesMut, index: u64, delta: Value) {
    write(out, "content_block_delta", json!({"type": "content_block_delta", "index": index, "delta": delta}));
}

fn write_stop(out: &mut BytesMut, closed: Option<OpenBlock>) {
    if let Some(block) = closed {
        write_stop_of(out, block.index);
    }
}

fn write_stop_of(out: &mut BytesMut, index: u64) {
    write(out, "content_block_stop", json!({"type": "content_block_stop", "index": index}));
}

pub(super) fn write(out: &mut BytesMut, name: &str, data: Value) {
    sse::write_event(out, Some(name), None, None, &data.to_string());
}
