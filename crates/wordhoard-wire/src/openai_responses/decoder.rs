use std::collections::{HashMap, HashSet};

use serde_json::Value;
use wordhoard_model::{Failure, FailureClass, FinishReason, TokenKind};

use super::event::{Event, Piece, Response, UsageBody};
use super::output::{call_head, item_deltas, push, sealed_reasoning};
use crate::clean_text::model_name;
use crate::error_body::classify_stream_error;
use crate::logprobs;
use crate::stream::{self, Fold};
use crate::tool_shape::{CUSTOM_CLOSING, CUSTOM_OPENING, custom_piece};
use crate::{Completion, Delta, Limits, StreamDecoder, ToolCallPiece, sse};

/// A decoder for one answer that comes as a stream. An item that a server tells only whole, at its end, counts then.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ResponseFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
struct ResponseFold {
    /// The number of the call that each item of a tool is, counted from 0 over the calls alone.
    calls: HashMap<u64, u64>,
    /// The items of which pieces were told.
    told: HashSet<u64>,
    answered_by: Option<String>,
    id: Option<String>,
    end: Option<Response>,
}

impl Fold for ResponseFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        match serde_json::from_str(data).map_err(|error| stream::bad_event(&error))? {
            Event::Created { response } => {
                self.answered_by = model_name(response.model);
                self.id = response.id;
            }
            Event::ItemAdded { output_index, item } => self.begin_item(output_index, &item, out),
            Event::ItemDone { output_index, item } => self.end_item(output_index, &item, out),
            Event::Text(mut piece) => {
                let likely = piece.logprobs.take().and_then(logprobs::of_content);
                self.say(TokenKind::Text, &piece, out);
                out.extend(likely);
            }
            Event::Refusal(piece) => self.say(TokenKind::Refusal, &piece, out),
            Event::Reasoning(piece) => self.say(TokenKind::Reasoning, &piece, out),
            Event::Arguments(piece) => self.argue(piece.output_index, piece.delta, out),
            Event::Input(piece) => self.argue(piece.output_index, custom_piece(&piece.delta), out),
            Event::Annotation { annotation } => {
                push(out, TokenKind::Annotation, Some(&annotation.to_string()));
            }
            Event::Ended { mut response } => {
                self.answered_by = model_name(response.model.take()).or(self.answered_by.take());
                self.end = Some(response);
            }
            Event::Error(told) => {
                return Err(classify_stream_error(
                    told.get("error").filter(|e| !e.is_null()).unwrap_or(&told),
                ));
            }
            Event::Other => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.end.is_some()
    }

    fn has_finish_reason(&self) -> bool {
        self.end.is_some()
    }

    fn so_far(&self) -> Completion {
        let has_called = !self.calls.is_empty();
        Completion {
            finish_reason: self.end.as_ref().and_then(|response| finish_reason(response, has_called).ok()),
            usage: self.end.as_ref().and_then(|response| response.usage).and_then(UsageBody::to_usage),
            answered_by: self.answered_by.clone(),
            envelope: None,
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        finish_reason(self.end.as_ref().ok_or_else(stream::cut)?, !self.calls.is_empty())?;
        Ok(self.so_far())
    }

    fn answer_id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl ResponseFold {
    fn say(&mut self, kind: TokenKind, piece: &Piece, out: &mut Vec<Delta>) {
        self.told.insert(piece.output_index);
        push(out, kind, Some(&piece.delta));
    }

    fn call_number(&mut self, output_index: u64) -> u64 {
        let next = self.calls.len() as u64;
        *self.calls.entry(output_index).or_insert(next)
    }

    fn begin_item(&mut self, output_index: u64, item: &Value, out: &mut Vec<Delta>) {
        let arguments = match item.get("type").and_then(Value::as_str) {
            Some("function_call") => None,
            Some("custom_tool_call") => Some(CUSTOM_OPENING.to_owned()),
            _ => return,
        };
        let piece = ToolCallPiece { index: self.call_number(output_index), arguments, ..call_head(item) };
        push(out, TokenKind::ToolCall, piece.to_text().as_deref());
    }

    fn argue(&mut self, output_index: u64, arguments: String, out: &mut Vec<Delta>) {
        self.told.insert(output_index);
        let index = self.call_number(output_index);
        let call = ToolCallPiece { index, arguments: Some(arguments), ..ToolCallPiece::default() };
        push(out, TokenKind::ToolCall, call.to_text().as_deref());
    }

    fn end_item(&mut self, output_index: u64, item: &Value, out: &mut Vec<Delta>) {
        let was_told = self.told.contains(&output_index);
        let text = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default();
        match (item.get("type").and_then(Value::as_str), self.calls.get(&output_index)) {
            // Begun, and its arguments not told yet.
            (Some("function_call"), Some(_)) if !was_told => {
                self.argue(output_index, text("arguments").to_owned(), out);
            }
            (Some("custom_tool_call"), Some(_)) => {
                let input = if was_told { String::new() } else { custom_piece(text("input")) };
                self.argue(output_index, input + CUSTOM_CLOSING, out);
            }
            (Some("function_call" | "custom_tool_call" | "local_shell_call"), None) => {
                let mut number = self.call_number(output_index);
                item_deltas(item, &mut number, out);
            }
            (Some("reasoning"), _) if was_told => sealed_reasoning(item, out),
            (Some("message" | "function_call"), _) if was_told => {}
            _ => item_deltas(item, &mut 0, out),
        }
    }
}

/// Why a response ended; a failure where it is no way to complete.
pub(super) fn finish_reason(response: &Response, has_called: bool) -> Result<FinishReason, Failure> {
    if let Some(error) = response.error.as_ref().filter(|error| !error.is_null()) {
        return Err(classify_stream_error(error));
    }
    let why = response.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
    Ok(FinishReason(match (response.status.as_deref(), why) {
        (Some("completed"), _) if has_called => "tool_calls".to_owned(),
        (Some("completed"), _) => FinishReason::STOP.to_owned(),
        (Some("incomplete"), Some("max_output_tokens")) => FinishReason::LENGTH.to_owned(),
        (Some("incomplete"), Some("content_filter")) => return Err(stream::filtered("content_filter")),
        (Some("incomplete"), Some(other)) => crate::one_line(other, 64),
        (status, _) => {
            let status = crate::one_line(status.unwrap_or("nothing"), 64);
            let message = format!("the provider ended the answer with the status {status}");
            return Err(Failure::new(FailureClass::StreamError, message));
        }
    }))
}
