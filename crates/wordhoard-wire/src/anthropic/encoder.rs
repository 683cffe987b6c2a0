use std::collections::BTreeMap;

use bytes::BytesMut;
use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind};

use super::error::error_value;
use super::event::UsageBody;
use super::stop_reason;
use crate::{AnswerHead, Completion, Delta, EncodeStream, ToolCallPiece, sse};

/// An encoder for one answer as a stream. A refusal becomes text, for the dialect has no other place for it.
///
/// No event has an `id:` or `retry:` field: both break clients of this dialect.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    Box::new(MessageStream { head, opened: false, next_block: 0, current: None, calls: BTreeMap::new() })
}

#[derive(Debug)]
struct MessageStream {
    head: AnswerHead,
    opened: bool,
    next_block: u64,
    /// The open block of text or reasoning.
    current: Option<(TokenKind, u64)>,
    /// The open blocks of tool calls, by the number of the call.
    calls: BTreeMap<u64, u64>,
}

impl EncodeStream for MessageStream {
    fn open(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        // The counts are not known yet, and the dialect has no place without them.
        let message = json!({
            "id": self.head.id,
            "type": "message",
            "role": "assistant",
            "model": self.head.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        });
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
                // What is no object of this dialect's has no place here.
                let said: Value = serde_json::from_str(&delta.text).unwrap_or_default();
                if said.get("type").is_some_and(Value::is_string) {
                    let kind = self.current.map_or(TokenKind::Text, |(kind, _)| kind);
                    let index = self.block(out, kind);
                    write_delta(out, index, said);
                }
            }
        }
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.open(out);
        self.close_current(out);
        for index in std::mem::take(&mut self.calls).into_values() {
            write_stop(out, index);
        }
        let usage = json!(UsageBody::from(completion.usage.unwrap_or_default()));
        let delta =
            json!({"stop_reason": stop_reason(completion.finish_reason.as_ref()), "stop_sequence": null});
        write(out, "message_delta", json!({"type": "message_delta", "delta": delta, "usage": usage}));
        write(out, "message_stop", json!({"type": "message_stop"}));
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        write(out, "error", error_value(failure));
    }
}

impl MessageStream {
    /// The block that such a piece goes into; opened where it is not open.
    fn block(&mut self, out: &mut BytesMut, kind: TokenKind) -> u64 {
        if let Some((open, index)) = self.current
            && open == kind
        {
            return index;
        }
        self.close_current(out);
        let block = match kind {
            TokenKind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
            _ => json!({"type": "text", "text": ""}),
        };
        let index = self.open_block(out, &block);
        self.current = Some((kind, index));
        index
    }

    fn call(&mut self, out: &mut BytesMut, piece: ToolCallPiece) {
        self.close_current(out);
        let index = match self.calls.get(&piece.index) {
            Some(index) => *index,
            None => {
                let (id, name) = (piece.id.unwrap_or_default(), piece.name.unwrap_or_default());
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                let index = self.open_block(out, &block);
                self.calls.insert(piece.index, index);
                index
            }
        };
        if let Some(arguments) = piece.arguments.filter(|arguments| !arguments.is_empty()) {
            write_delta(out, index, json!({"type": "input_json_delta", "partial_json": arguments}));
        }
    }

    fn open_block(&mut self, out: &mut BytesMut, block: &Value) -> u64 {
        let index = self.next_block;
        self.next_block += 1;
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        write(out, "content_block_start", start);
        index
    }

    fn close_current(&mut self, out: &mut BytesMut) {
        if let Some((_, index)) = self.current.take() {
            write_stop(out, index);
        }
    }
}

fn write_delta(out: &mut BytesMut, index: u64, delta: Value) {
    write(out, "content_block_delta", json!({"type": "content_block_delta", "index": index, "delta": delta}));
}

fn write_stop(out: &mut BytesMut, index: u64) {
    write(out, "content_block_stop", json!({"type": "content_block_stop", "index": index}));
}

fn write(out: &mut BytesMut, name: &str, data: Value) {
    sse::write_event(out, Some(name), None, None, &data.to_string());
}
