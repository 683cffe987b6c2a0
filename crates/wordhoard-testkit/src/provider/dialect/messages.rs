//! Anthropic's messages.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Counts, Frame, Pieces, Reason, Refusal, Speaker};
use crate::provider::ReceivedCall;

pub(super) struct Messages {
    model: String,
    /// The open block of text or reasoning, and the number of the next block.
    open: Option<(TokenKind, u64)>,
    next: u64,
    calls: Vec<(u64, u64)>,
}

impl Messages {
    pub(super) fn new(_: &ReceivedCall, model: &str) -> Self {
        Self { model: model.to_owned(), open: None, next: 0, calls: Vec::new() }
    }

    fn enter(&mut self, kind: TokenKind, block: Value, frames: &mut Vec<Frame>) -> u64 {
        if let Some((open, index)) = self.open {
            if open == kind {
                return index;
            }
            frames.push(event("content_block_stop", json!({"index": index})));
        }
        let index = self.next;
        self.next += 1;
        frames.push(event("content_block_start", json!({"index": index, "content_block": block})));
        self.open = Some((kind, index));
        index
    }
}

impl Speaker for Messages {
    fn opening(&mut self) -> Vec<Frame> {
        let message = json!({
            "id": "msg_mock", "type": "message", "role": "assistant", "model": self.model, "content": [],
            "container": null, "stop_reason": null, "stop_details": null, "stop_sequence": null,
            "usage": usage(Counts { input: 1, output: 1, reasoning: 0 }),
        });
        vec![event("message_start", json!({"message": message})), event("ping", json!({}))]
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        let (index, delta) = match kind {
            TokenKind::Reasoning => {
                let block = json!({"type": "thinking", "thinking": "", "signature": ""});
                let index = self.enter(kind, block, &mut frames);
                (index, json!({"type": "thinking_delta", "thinking": text}))
            }
            TokenKind::ToolCall => {
                let piece: Value = serde_json::from_str(text).unwrap_or_default();
                let call = piece["index"].as_u64().unwrap_or(0);
                let known = self.calls.iter().find(|(known, _)| *known == call).map(|(_, index)| *index);
                let index = known.unwrap_or(self.next);
                if known.is_none() {
                    self.calls.push((call, index));
                    self.next += 1;
                    let block = tool_use(&piece["id"], &piece["name"], json!({}));
                    frames
                        .push(event("content_block_start", json!({"index": index, "content_block": block})));
                }
                (index, json!({"type": "input_json_delta", "partial_json": piece["arguments"]}))
            }
            _ => {
                let index = self.enter(kind, text_block(""), &mut frames);
                (index, json!({"type": "text_delta", "text": text}))
            }
        };
        frames.push(event("content_block_delta", json!({"index": index, "delta": delta})));
        frames
    }

    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame> {
        let mut frames = Vec::new();
        for index in self
            .open
            .take()
            .map(|(_, index)| index)
            .into_iter()
            .chain(self.calls.drain(..).map(|call| call.1))
        {
            frames.push(event("content_block_stop", json!({"index": index})));
        }
        let delta = json!({
            "container": null, "stop_reason": stop_reason(reason), "stop_details": null, "stop_sequence": null,
        });
        frames.push(event("message_delta", json!({"delta": delta, "usage": usage(counts)})));
        frames
    }

    fn usage(&mut self, _: Counts) -> Vec<Frame> {
        Vec::new()
    }

    fn terminal(&mut self) -> Vec<Frame> {
        vec![event("message_stop", json!({}))]
    }

    fn error(&mut self) -> Vec<Frame> {
        let error = json!({"type": "api_error", "message": "The server had an error on purpose"});
        vec![event("error", json!({"error": error}))]
    }

    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value {
        let mut content = Vec::new();
        if !pieces.reasoning.is_empty() {
            content.push(json!({"type": "thinking", "thinking": pieces.reasoning, "signature": "x"}));
        }
        if !pieces.text.is_empty() {
            content.push(text_block(&pieces.text));
        }
        for call in &pieces.calls {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            content.push(tool_use(&json!(call.id), &json!(call.name), input));
        }
        json!({
            "id": "msg_mock", "type": "message", "role": "assistant", "model": self.model, "content": content,
            "container": null, "stop_reason": stop_reason(reason), "stop_details": null, "stop_sequence": null,
            "usage": usage(counts),
        })
    }
}

fn stop_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Stop => "end_turn",
        Reason::ToolCalls => "tool_use",
        Reason::Filter => "refusal",
    }
}

fn usage(counts: Counts) -> Value {
    json!({
        "input_tokens": counts.input, "output_tokens": counts.output, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": counts.reasoning}, "inference_geo": null,
        "server_tool_use": null, "service_tier": "standard",
    })
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text, "citations": null})
}

fn tool_use(id: &Value, name: &Value, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input, "caller": {"type": "direct"}})
}

fn event(name: &'static str, mut data: Value) -> Frame {
    data["type"] = name.into();
    Frame { event: Some(name), data: data.to_string() }
}

pub(super) fn refusal(refusal: &Refusal) -> (u16, String) {
    let (status, kind, message) = match refusal {
        Refusal::Status(status, message) => (*status, "api_error", message.clone()),
        Refusal::NoModel(model) => (404, "not_found_error", format!("model: {model}")),
        Refusal::TooLong => {
            (400, "invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum".to_owned())
        }
        Refusal::Filtered => {
            (400, "content_policy_violation", "Output blocked by content filtering policy".to_owned())
        }
        Refusal::OverQuota => (429, "rate_limit_error", "You exceeded your current quota, please check your plan and billing details.".to_owned()),
        Refusal::Key(message) => (401, "authentication_error", message.clone()),
        Refusal::Prefill => (
            400,
            "invalid_request_error",
            "This model does not support assistant message prefill. The conversation must end with a user message."
                .to_owned(),
        ),
    };
    let body =
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"});
    (status, body.to_string())
}
