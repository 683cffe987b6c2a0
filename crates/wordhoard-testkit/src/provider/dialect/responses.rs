//! OpenAI's responses.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Call, Counts, Frame, Pieces, Reason, Speaker};
use crate::provider::ReceivedCall;

pub(super) struct Responses {
    model: String,
    sequence_number: u64,
    /// The open item of text or reasoning: its number and its text.
    open: Option<(TokenKind, usize, String)>,
    /// The items so far, and which of them each call is.
    items: Vec<Value>,
    calls: Vec<(u64, usize)>,
    /// Whether each token is told with its probability.
    logprobs: bool,
}

impl Responses {
    pub(super) fn new(call: &ReceivedCall, model: &str) -> Self {
        let included = call.body["include"].as_array();
        let logprobs = included.is_some_and(|all| all.contains(&"message.output_text.logprobs".into()));
        Self {
            model: model.to_owned(),
            sequence_number: 0,
            open: None,
            items: Vec::new(),
            calls: Vec::new(),
            logprobs,
        }
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
            "incomplete_details": null, "model": self.model, "output": [], "usage": null, "service_tier": "flex",
            "mock_says": {"ratio": 0.5},
        })
    }

    fn ended(&self, reason: Reason, counts: Counts) -> Value {
        let mut response = self.response(if reason == Reason::Filter { "incomplete" } else { "completed" });
        if reason == Reason::Filter {
            response["incomplete_details"] = json!({"reason": "content_filter"});
        }
        response["completed_at"] = 1_764_000_001.into();
        response["output"] = self.items.clone().into();
        response["usage"] = json!({
            "input_tokens": counts.input, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": counts.output, "output_tokens_details": {"reasoning_tokens": counts.reasoning},
            "total_tokens": counts.input + counts.output,
        });
        response
    }

    fn begin_item(&mut self, item: Value, frames: &mut Vec<Frame>) -> usize {
        let index = self.items.len();
        frames.push(self.event("response.output_item.added", json!({"output_index": index, "item": item})));
        self.items.push(item);
        index
    }

    fn end_item(&mut self, index: usize, item: Value, frames: &mut Vec<Frame>) {
        self.items[index] = item.clone();
        frames.push(self.event("response.output_item.done", json!({"output_index": index, "item": item})));
    }

    fn open(&mut self, kind: TokenKind, frames: &mut Vec<Frame>) -> usize {
        let item = match kind {
            TokenKind::Reasoning => json!({"type": "reasoning", "id": "rs_mock", "summary": []}),
            _ => message(&json!([]), "in_progress"),
        };
        let index = self.begin_item(item, frames);
        let (name, place) = names(kind);
        let mut added = json!({"output_index": index, "item_id": id_of(kind), "part": part(kind, "")});
        added[place] = 0.into();
        frames.push(self.event(
            if name == SUMMARY {
                "response.reasoning_summary_part.added"
            } else {
                "response.content_part.added"
            },
            added,
        ));
        self.open = Some((kind, index, String::new()));
        index
    }

    fn close(&mut self, frames: &mut Vec<Frame>) {
        let Some((kind, index, text)) = self.open.take() else { return };
        let (name, place) = names(kind);
        let field = if kind == TokenKind::Refusal { "refusal" } else { "text" };
        let mut done = json!({"output_index": index, "item_id": id_of(kind), field: text, "logprobs": []});
        done[place] = 0.into();
        let done_name = match kind {
            TokenKind::Reasoning => "response.reasoning_summary_text.done",
            TokenKind::Refusal => "response.refusal.done",
            _ => "response.output_text.done",
        };
        frames.push(self.event(done_name, done));
        let part = part(kind, &text);
        let mut done = json!({"output_index": index, "item_id": id_of(kind), "part": part});
        done[place] = 0.into();
        frames.push(self.event(
            if name == SUMMARY {
                "response.reasoning_summary_part.done"
            } else {
                "response.content_part.done"
            },
            done,
        ));
        let item = match kind {
            TokenKind::Reasoning => json!({"type": "reasoning", "id": "rs_mock", "summary": [part]}),
            _ => message(&json!([part]), "completed"),
        };
        self.end_item(index, item, frames);
    }

    fn call(&mut self, piece: &Value, frames: &mut Vec<Frame>) {
        let call = piece["index"].as_u64().unwrap_or(0);
        let known = self.calls.iter().find(|(known, _)| *known == call).map(|(_, index)| *index);
        let index = known.unwrap_or_else(|| {
            self.close(frames);
            let mut item = json!({
                "type": "function_call", "id": format!("fc_{call}"), "call_id": piece["id"],
                "name": piece["name"], "arguments": "", "status": "in_progress",
            });
            if piece["takes_text"] == true {
                (item["type"], item["input"]) = ("custom_tool_call".into(), "".into());
                item.as_object_mut().map(|fields| fields.remove("arguments"));
            }
            let index = self.begin_item(item, frames);
            self.calls.push((call, index));
            index
        });
        let told = piece["arguments"].as_str().unwrap_or_default();
        let Written { field, delta: name, .. } = written(&self.items[index]);
        let so_far = self.items[index][field].as_str().unwrap_or_default();
        self.items[index][field] = format!("{so_far}{told}").into();
        let delta = json!({"output_index": index, "item_id": format!("fc_{call}"), "delta": told});
        frames.push(self.event(name, delta));
    }
}

/// Where a call's arguments stand, and the events that tell them.
struct Written {
    field: &'static str,
    delta: &'static str,
    done: &'static str,
}

fn written(item: &Value) -> Written {
    if item["type"] == "custom_tool_call" {
        let (delta, done) = ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done");
        return Written { field: "input", delta, done };
    }
    let (delta, done) = ("response.function_call_arguments.delta", "response.function_call_arguments.done");
    Written { field: "arguments", delta, done }
}

const SUMMARY: &str = "response.reasoning_summary_text.delta";

/// The event of a piece, and the field for its place in the item.
fn names(kind: TokenKind) -> (&'static str, &'static str) {
    match kind {
        TokenKind::Reasoning => (SUMMARY, "summary_index"),
        TokenKind::Refusal => ("response.refusal.delta", "content_index"),
        _ => ("response.output_text.delta", "content_index"),
    }
}

fn id_of(kind: TokenKind) -> &'static str {
    if kind == TokenKind::Reasoning { "rs_mock" } else { "msg_mock" }
}

fn message(content: &Value, status: &str) -> Value {
    json!({"type": "message", "id": "msg_mock", "role": "assistant", "status": status, "content": content})
}

fn part(kind: TokenKind, text: &str) -> Value {
    match kind {
        TokenKind::Reasoning => json!({"type": "summary_text", "text": text}),
        TokenKind::Refusal => json!({"type": "refusal", "refusal": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
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
            self.call(&serde_json::from_str(text).unwrap_or_default(), &mut frames);
            return frames;
        }
        if self.open.as_ref().is_none_or(|(open, ..)| *open != kind) {
            self.close(&mut frames);
            self.open(kind, &mut frames);
        }
        let Some((_, index, so_far)) = &mut self.open else { return frames };
        so_far.push_str(text);
        let (name, place) = names(kind);
        let mut delta = json!({"output_index": index, "item_id": id_of(kind), "delta": text, "logprobs": []});
        delta[place] = 0.into();
        if self.logprobs && kind == TokenKind::Text {
            delta["logprobs"] =
                json!([{"token": text, "logprob": -0.5, "bytes": text.as_bytes(), "top_logprobs": []}]);
        }
        frames.push(self.event(name, delta));
        frames
    }

    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.close(&mut frames);
        for (call, index) in std::mem::take(&mut self.calls) {
            let mut item = self.items[index].clone();
            item["status"] = "completed".into();
            let Written { field, done: name, .. } = written(&item);
            let done = json!({
                "output_index": index, "item_id": format!("fc_{call}"), field: item[field], "name": item["name"],
            });
            frames.push(self.event(name, done));
            self.end_item(index, item, &mut frames);
        }
        let response = self.ended(reason, counts);
        let name = if reason == Reason::Filter { "response.incomplete" } else { "response.completed" };
        frames.push(self.event(name, json!({"response": response})));
        frames
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
            output.push(message(&json!([part(TokenKind::Text, &pieces.text)]), "completed"));
        }
        output.extend(pieces.calls.iter().map(|Call { id, name, arguments, .. }| {
            json!({"type": "function_call", "id": id, "call_id": id, "name": name, "arguments": arguments})
        }));
        let mut response = self.ended(reason, counts);
        response["output"] = output.into();
        response
    }
}
