use std::collections::BTreeMap;

use bytes::BytesMut;
use serde_json::{Value, json};
use wordhoard_model::{Failure, TokenKind};

use super::content::{Place, call_part, place_of, response_value, text_part};
use super::response::UsageBody;
use super::{CALL_ID_PREFIX, error_value, told_reason};
use crate::call_order::InOrder;
use crate::{AnswerHead, Completion, Delta, EncodeStream, ToolCallPiece, sse};

/// An encoder for one answer as a stream. A refusal becomes text, for the dialect has no other place for it; a call of a
/// tool is held until the end, for it has none for a piece of one.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    let id = head.id.clone();
    Box::new(InOrder::new(ContentStream { head, calls: BTreeMap::new() }, CALL_ID_PREFIX, &id))
}

#[derive(Debug)]
struct ContentStream {
    head: AnswerHead,
    calls: BTreeMap<u64, ToolCallPiece>,
}

impl EncodeStream for ContentStream {
    /// Nothing opens a stream here.
    fn open(&mut self, _: &mut BytesMut) {}

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        match delta.kind {
            TokenKind::Text | TokenKind::Refusal | TokenKind::Reasoning => {
                write(out, &response_value(&self.head, &[text_part(delta.kind, &delta.text)]));
            }
            TokenKind::ToolCall => {
                let piece = ToolCallPiece::from_text(&delta.text);
                match self.calls.get_mut(&piece.index) {
                    Some(call) => call.append(piece),
                    None => drop(self.calls.insert(piece.index, piece)),
                }
            }
            TokenKind::Annotation => {
                let said: Value = serde_json::from_str(&delta.text).unwrap_or_default();
                match place_of(&said) {
                    Place::Part(part) => write(out, &response_value(&self.head, &[part])),
                    Place::Beside(fields) => {
                        let mut response = response_value(&self.head, &[]);
                        for (name, value) in fields {
                            response["candidates"][0][name] = value;
                        }
                        write(out, &response);
                    }
                    Place::Nowhere => {}
                }
            }
        }
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        let calls: Vec<Value> = std::mem::take(&mut self.calls).values().map(call_part).collect();
        let mut response = response_value(&self.head, &calls);
        response["candidates"][0]["finishReason"] = told_reason(completion.finish_reason.as_ref()).into();
        if let Some(usage) = completion.usage {
            response["usageMetadata"] = json!(UsageBody::from(usage));
        }
        write(out, &response);
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        write(out, &error_value(failure));
    }
}

fn write(out: &mut BytesMut, response: &Value) {
    sse::write_event(out, None, None, None, &response.to_string());
}
