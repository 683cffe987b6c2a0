use bytes::BytesMut;
use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind};

use super::answer::is_citation;
use super::event::UsageBody;
use super::{CALL_ID_PREFIX, told_reason};
use crate::call_order::InOrder;
use crate::open_blocks::{OpenBlock, OpenBlocks};
use crate::{AnswerHead, Completion, Delta, EncodeStream, ToolCallPiece, sse};

/// An encoder for one answer as a stream. A refusal becomes text, for the dialect has no other place for it.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    let id = head.id.clone();
    let encoder = ChatStream { head, opened: false, blocks: OpenBlocks::default(), citations: 0 };
    Box::new(InOrder::new(encoder, CALL_ID_PREFIX, &id))
}

#[derive(Debug)]
struct ChatStream {
    head: AnswerHead,
    opened: bool,
    blocks: OpenBlocks,
    citations: u64,
}

impl EncodeStream for ChatStream {
    fn open(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        let message =
            json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        write(out, json!({"id": self.head.id, "type": "message-start", "delta": {"message": message}}));
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.open(out);
        match delta.kind {
            TokenKind::Text | TokenKind::Refusal => self.say(out, TokenKind::Text, "text", &delta.text),
            TokenKind::Reasoning => self.say(out, TokenKind::Reasoning, "thinking", &delta.text),
            TokenKind::ToolCall => self.call(out, ToolCallPiece::from_text(&delta.text)),
            TokenKind::Annotation => {
                let said: Value = serde_json::from_str(&delta.text).unwrap_or_default();
                if is_citation(&said) {
                    let index = self.citations;
                    self.citations += 1;
                    write_of(out, "citation-start", index, json!({"message": {"citations": said}}));
                    write(out, json!({"type": "citation-end", "index": index}));
                }
            }
        }
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.open(out);
        write_end(out, self.blocks.close_current());
        let delta = json!({
            "finish_reason": told_reason(completion.finish_reason.as_ref()),
            "usage": completion.usage.map(UsageBody::from),
        });
        write(out, json!({"id": self.head.id, "type": "message-end", "delta": delta}));
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        let delta = json!({"finish_reason": "ERROR", "error": failure.message});
        write(out, json!({"id": self.head.id, "type": "message-end", "delta": delta}));
    }
}

impl ChatStream {
    fn say(&mut self, out: &mut BytesMut, kind: TokenKind, field: &str, text: &str) {
        let entered = self.blocks.enter(kind);
        write_end(out, entered.closed);
        if entered.is_new {
            let content = json!({"type": field, field: ""});
            write_of(out, "content-start", entered.index, json!({"message": {"content": content}}));
        }
        write_of(out, "content-delta", entered.index, json!({"message": {"content": {field: text}}}));
    }

    fn call(&mut self, out: &mut BytesMut, piece: ToolCallPiece) {
        let entered = self.blocks.enter_call(piece.index);
        write_end(out, entered.closed);
        let arguments = piece.arguments.unwrap_or_default();
        if entered.is_new {
            let function = json!({"name": piece.name, "arguments": arguments});
            let call = json!({"id": piece.id, "type": "function", "function": function});
            write_of(out, "tool-call-start", piece.index, json!({"message": {"tool_calls": call}}));
        } else if !arguments.is_empty() {
            let call = json!({"function": {"arguments": arguments}});
            write_of(out, "tool-call-delta", piece.index, json!({"message": {"tool_calls": call}}));
        }
    }
}

/// Ends a block: a call by its number among the calls.
fn write_end(out: &mut BytesMut, closed: Option<OpenBlock>) {
    match closed {
        Some(OpenBlock { call: Some(call), .. }) => {
            write(out, json!({"type": "tool-call-end", "index": call}));
        }
        Some(OpenBlock { call: None, index, .. }) => {
            write(out, json!({"type": "content-end", "index": index}));
        }
        None => {}
    }
}

fn write_of(out: &mut BytesMut, kind: &str, index: u64, delta: Value) {
    write(out, json!({"type": kind, "index": index, "delta": delta}));
}

fn write(out: &mut BytesMut, data: Value) {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    sse::write_event(out, Some(&kind), None, None, &data.to_string());
}
