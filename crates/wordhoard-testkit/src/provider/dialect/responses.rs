//! OpenAI's responses.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Call, Counts, Frame, Pieces, Reason, Speaker};
use crate::provider::ReceivedCall;

pub(super) struct Responses {
    model: String,
    sequence_number: u64,
    /// The open item of text or reasoning, and the number of the next item.
    open: Option<(TokenKind, u64)>,
    next: u64,
    calls: Vec<(u64, u64)>,
}

impl Responses {
    pub(super) fn new(_: &ReceivedCall, model: &str) -> Self {
        Self { model: model.to_owned(), sequence_number: 0, open: None, next: 0, calls: Vec::new() }
    }

    fn event(&mut self, name: &'static str, mut data: Value) -> Frame {
        data["type"] = name.into();
        data["sequence_number"] = self.sequence_number.into();
        self.sequence_number += 1;
        Frame { event: Some(name), data: data.to_string() }
    }

    fn response(&self, status: &str) -> Value {
        json!({
            "id": "resp_mock", "object": "response", "created_at": 1_764_000_000, "status": status, "error": null,
            "incomplete_details": null, "model": self.model, "output": [], "usage": null,
        })
    }

    fn ended(&self, reason: Reason, counts: Counts) -> Value {
        let mut response = self.response(if reason == Reason::Filter { "incomplete" } else { "completed" });
        if reason == Reason::Filter {
            response["incomplete_details"] = json!({"reason": "content_filter"});
        }
        response["usage"] = json!({
            "input_tokens": counts.input, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": counts.output, "output_tokens_details": {"reasoning_tokens": counts.reasoning},
            "total_tokens": counts.input + counts.output,
        });
        response
    }

    fn begin_item(&mut self, item: &Value, frames: &mut Vec<Frame>) -> u64 {
        let index = self.next;
        self.next += 1;
        frames.push(self.event("response.output_item.added", json!({"output_index": index, "item": item})));
        index
    }
}

impl Speaker for Responses {
    fn opening(&mut self) -> Vec<Frame> {
        let response = self.response("in_progress");
        vec![
            self.event("response.created", json!({"response": response})),
            self.event("response.in_progress", json!({"response": response})),
        ]
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        if kind == TokenKind::ToolCall {
            let piece: Value = serde_json::from_str(text).unwrap_or_default();
            let call = piece["index"].as_u64().unwrap_or(0);
            let known = self.calls.iter().find(|(known, _)| *known == call).map(|(_, index)| *index);
            let index = known.unwrap_or_else(|| {
                let item = json!({
                    "type": "function_call", "id": format!("fc_{call}"), "call_id": piece["id"],
                    "name": piece["name"], "arguments": "", "status": "in_progress",
                });
                self.begin_item(&item, &mut frames)
            });
            if known.is_none() {
                self.calls.push((call, index));
            }
            let delta =
                json!({"output_index": index, "item_id": format!("fc_{call}"), "delta": piece["arguments"]});
            frames.push(self.event("response.function_call_arguments.delta", delta));
            return frames;
        }
        let index = match self.open {
            Some((open, index)) if open == kind => index,
            _ => {
                let item = match kind {
                    TokenKind::Reasoning => json!({"type": "reasoning", "id": "rs_mock", "summary": []}),
                    _ => json!({"type": "message", "id": "msg_mock", "role": "assistant", "content": []}),
                };
                let index = self.begin_item(&item, &mut frames);
                self.open = Some((kind, index));
                index
            }
        };
        let name = match kind {
            TokenKind::Reasoning => "response.reasoning_summary_text.delta",
            TokenKind::Refusal => "response.refusal.delta",
            _ => "response.output_text.delta",
        };
        let delta = json!({"output_index": index, "content_index": 0, "item_id": "msg_mock", "delta": text});
        frames.push(self.event(name, delta));
        frames
    }

    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame> {
        let response = self.ended(reason, counts);
        let name = if reason == Reason::Filter { "response.incomplete" } else { "response.completed" };
        vec![self.event(name, json!({"response": response}))]
    }

    fn usage(&mut self, _: Counts) -> Vec<Frame> {
        Vec::new()
    }

    fn terminal(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn error(&mut self) -> Vec<Frame> {
        let error =
            json!({"code": "server_error", "message": "The server had an error on purpose", "param": null});
        vec![self.event("error", error)]
    }

    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value {
        let mut output = Vec::new();
        if !pieces.reasoning.is_empty() {
            let summary = json!([{"type": "summary_text", "text": pieces.reasoning}]);
            output.push(json!({"type": "reasoning", "id": "rs_mock", "summary": summary}));
        }
        if !pieces.text.is_empty() {
            let content = json!([{"type": "output_text", "text": pieces.text, "annotations": []}]);
            output
                .push(json!({"type": "message", "id": "msg_mock", "role": "assistant", "content": content}));
        }
        output.extend(pieces.calls.iter().map(|Call { id, name, arguments, .. }| {
            json!({"type": "function_call", "id": id, "call_id": id, "name": name, "arguments": arguments})
        }));
        let mut response = self.ended(reason, counts);
        response["output"] = output.into();
        response
    }
}
