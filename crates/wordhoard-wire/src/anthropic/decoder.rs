use std::collections::HashMap;

use serde_json::Value;
use wordhoard_model::{Failure, TokenKind, Usage};

use super::event::{Event, Message, UsageBody};
use super::finish_reason;
use crate::clean_text::model_name;
use crate::error_body::classify_stream_error;
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, ToolCallPiece, sse};

/// A decoder for one answer that comes as a stream.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(MessageFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
struct MessageFold {
    /// The number of the call that each block of a tool is, counted from 0 over the calls alone.
    calls: HashMap<u64, u64>,
    stop_reason: Option<String>,
    usage: Option<UsageBody>,
    answered_by: Option<String>,
    done: bool,
}

impl Fold for MessageFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() {
            return Ok(());
        }
        match serde_json::from_str(data).map_err(|error| stream::bad_event(&error))? {
            Event::MessageStart { message } => self.begin(message),
            Event::ContentBlockStart { index, content_block } => {
                out.extend(block_start(&content_block, index, &mut self.calls));
            }
            Event::ContentBlockDelta { index, delta } => {
                out.extend(block_delta(&delta, self.calls.get(&index)));
            }
            Event::MessageDelta { delta, usage } => {
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
                self.note_usage(usage);
            }
            Event::MessageStop {} => self.done = true,
            Event::Error { error } => return Err(classify_stream_error(&error)),
            Event::ContentBlockStop {} | Event::Other => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn has_finish_reason(&self) -> bool {
        self.stop_reason.is_some()
    }

    fn so_far(&self) -> Completion {
        Completion {
            finish_reason: self.stop_reason.as_deref().and_then(|reason| finish_reason(reason).ok()),
            usage: self.usage(),
            answered_by: self.answered_by.clone(),
            envelope: None,
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        let reason = self.stop_reason.as_deref().ok_or_else(stream::cut)?;
        finish_reason(reason)?;
        Ok(self.so_far())
    }
}

impl MessageFold {
    fn begin(&mut self, message: Message) {
        self.answered_by = model_name(message.model);
        self.note_usage(message.usage);
    }

    fn note_usage(&mut self, usage: Option<UsageBody>) {
        if let Some(usage) = usage {
            self.usage = Some(self.usage.unwrap_or_default().updated(usage));
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.and_then(UsageBody::to_usage)
    }
}

/// What a block says as it begins.
pub(super) fn block_start(block: &Value, index: u64, calls: &mut HashMap<u64, u64>) -> Option<Delta> {
    let text = |field: &str| block.get(field).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "text" => piece(TokenKind::Text, text("text")),
        "thinking" => piece(TokenKind::Reasoning, text("thinking")),
        "tool_use" => {
            let next = calls.len() as u64;
            let call = ToolCallPiece {
                index: *calls.entry(index).or_insert(next),
                id: Some(text("id").to_owned()),
                name: Some(text("name").to_owned()),
                // In a stream it is always empty here, and comes by `input_json_delta`.
                arguments: block.get("input").filter(|input| !is_empty(input)).map(ToString::to_string),
            };
            piece(TokenKind::ToolCall, &call.to_text()?)
        }
        // Tools that the provider runs itself, and their results; reasoning that is encrypted.
        _ => piece(TokenKind::Annotation, &block.to_string()),
    }
}

/// What a delta says, of the tool call of that number if its block is one.
fn block_delta(delta: &Value, call: Option<&u64>) -> Option<Delta> {
    let text = |field: &str| delta.get(field).and_then(Value::as_str).unwrap_or_default();
    match (text("type"), call) {
        ("text_delta", _) => piece(TokenKind::Text, text("text")),
        ("thinking_delta", _) => piece(TokenKind::Reasoning, text("thinking")),
        ("input_json_delta", Some(index)) => {
            let arguments = text("partial_json");
            let call = ToolCallPiece {
                index: *index,
                arguments: Some(arguments.to_owned()).filter(|arguments| !arguments.is_empty()),
                ..ToolCallPiece::default()
            };
            piece(TokenKind::ToolCall, &call.to_text()?)
        }
        // Citations, signatures, and what is still to come.
        _ => piece(TokenKind::Annotation, &delta.to_string()),
    }
}

fn piece(kind: TokenKind, text: &str) -> Option<Delta> {
    (!text.is_empty()).then(|| Delta::new(kind, text))
}

fn is_empty(input: &Value) -> bool {
    input.as_object().is_none_or(serde_json::Map::is_empty)
}
