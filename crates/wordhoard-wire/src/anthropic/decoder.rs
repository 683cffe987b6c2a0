use std::collections::{HashMap, HashSet};

use serde_json::Value;
use wordhoard_model::{Failure, TokenKind, Usage};

use super::event::{Event, Message, UsageBody};
use super::plain_delta;
use crate::clean_text::{model_name, one_line};
use crate::ending::Seen;
use crate::error_body::classify_stream_error;
use crate::plain_text::{Part, PlainText};
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, ToolCallPiece, sse, tolerant};

/// A decoder for one answer that comes as a stream.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(MessageFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
pub(super) struct MessageFold {
    /// The number of the call that each block of a tool is, counted from 0 over the calls alone.
    calls: HashMap<u64, u64>,
    /// The blocks of tools of which some input was told.
    argued: HashSet<u64>,
    stop_reason: Option<String>,
    usage: Option<UsageBody>,
    answered_by: Option<String>,
    seen: Seen,
    done: bool,
}

impl Fold for MessageFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let Some(told) = stream::read_event::<Event>(event)? else { return Ok(()) };
        let before = out.len();
        let kind = told.kind.as_deref().or(event.event.as_deref()).unwrap_or_default();
        match kind {
            "message_start" => self.begin(told.message.unwrap_or_default(), out),
            "content_block_start" => {
                let block = told.content_block.unwrap_or_default();
                let started = block_start(&block, told.index, &mut self.calls);
                let is_argued = started.as_ref().is_some_and(|delta| {
                    delta.kind == TokenKind::ToolCall
                        && ToolCallPiece::from_text(&delta.text).arguments.is_some()
                });
                if is_argued {
                    self.argued.insert(told.index);
                }
                out.extend(started);
            }
            "content_block_delta" => {
                let delta = told.delta.unwrap_or_default();
                if delta.get("partial_json").and_then(Value::as_str).is_some_and(|json| !json.is_empty()) {
                    self.argued.insert(told.index);
                }
                out.extend(block_delta(&delta, self.calls.get(&told.index)));
            }
            // The input of a tool that takes nothing need not be told.
            "content_block_stop" => {
                if let Some(index) =
                    self.calls.get(&told.index).filter(|_| !self.argued.contains(&told.index))
                {
                    let arguments = Some("{}".to_owned());
                    let call = ToolCallPiece { index: *index, arguments, ..ToolCallPiece::default() };
                    self.argued.insert(told.index);
                    out.extend(call.to_text().map(|text| Delta::new(TokenKind::ToolCall, text)));
                }
            }
            "message_delta" => {
                let delta = told.delta.unwrap_or_default();
                self.note_stop_reason(delta.get("stop_reason").and_then(Value::as_str));
                // Some gateways put the usage where the reason stands.
                let misplaced = delta.get("usage").cloned();
                let misplaced = misplaced.and_then(|usage| tolerant::read(&usage.to_string()).ok());
                self.note_usage(told.usage.or(misplaced));
            }
            "message_stop" => self.done = true,
            // Gateways exist that send the message whole within a stream.
            "message" => match tolerant::read(&event.data) {
                Ok(message) => self.take_message(message, out),
                Err(error) => return Err(stream::bad_event(&error)),
            },
            "error" => return Err(classify_stream_error(&told.error.unwrap_or_default())),
            // `ping`, the end of a block, and what is still to come.
            _ => {}
        }
        self.seen.note(&out[before..]);
        Ok(())
    }

    fn plain_text<'a>(&self, event: &'a sse::Event) -> Option<PlainText<'a>> {
        plain_delta::read(&event.data)
    }

    fn say(&mut self, _kind: TokenKind, _part: Part, _text: &str) {
        self.seen.has_said = true;
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn has_finish_reason(&self) -> bool {
        self.stop_reason.is_some()
    }

    fn so_far(&self) -> Completion {
        let ended = self.stop_reason.as_deref().map(|told| Completion::ended(told, self.seen));
        Completion { usage: self.usage(), answered_by: self.answered_by.clone(), ..ended.unwrap_or_default() }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().and_then(UsageBody::to_usage)
    }

    fn finish(&self) -> Result<Completion, Failure> {
        Completion::told(self.stop_reason.as_deref().ok_or_else(stream::cut)?, self.seen)?;
        Ok(self.so_far())
    }
}

impl MessageFold {
    fn begin(&mut self, message: Message, out: &mut Vec<Delta>) {
        self.answered_by = model_name(message.model);
        self.note_usage(message.usage);
        for (index, block) in (0..).zip(&message.content) {
            out.extend(block_start(block, index, &mut self.calls));
        }
    }

    pub(super) fn take_message(&mut self, message: Message, out: &mut Vec<Delta>) {
        let before = out.len();
        self.note_stop_reason(message.stop_reason.as_deref());
        self.begin(message, out);
        self.seen.note(&out[before..]);
    }

    fn note_stop_reason(&mut self, told: Option<&str>) {
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            self.stop_reason = Some(one_line(told, 64));
        }
    }

    fn note_usage(&mut self, usage: Option<UsageBody>) {
        if let Some(usage) = usage {
            self.usage = Some(self.usage.take().unwrap_or_default().updated(usage));
        }
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
                // In a stream it is mostly empty here, and comes by `input_json_delta`. Some gateways have it as a text.
                arguments: match block.get("input") {
                    Some(Value::String(input)) => Some(input.clone()).filter(|input| !input.is_empty()),
                    input => input.filter(|input| !is_empty(input)).map(ToString::to_string),
                },
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
