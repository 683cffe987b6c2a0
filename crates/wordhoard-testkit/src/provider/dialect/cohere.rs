//! Cohere's chat, version 2.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Counts, Frame, Pieces, Reason, Refusal, Speaker};
use crate::provider::ReceivedCall;

pub(super) struct Cohere {
    /// The open block of text or reasoning, and the number of the next block.
    open: Option<(TokenKind, u64)>,
    next: u64,
    begun_calls: Vec<u64>,
}

impl Cohere {
    pub(super) fn new(_: &ReceivedCall, _: &str) -> Self {
        Self { open: None, next: 0, begun_calls: Vec::new() }
    }
}

impl Speaker for Cohere {
    fn opening(&mut self) -> Vec<Frame> {
        let message =
            json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        vec![event("message-start", json!({"id": "mock", "delta": {"message": message}}))]
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame> {
        if kind == TokenKind::ToolCall {
            let piece: Value = serde_json::from_str(text).unwrap_or_default();
            let call = piece["index"].as_u64().unwrap_or(0);
            if self.begun_calls.contains(&call) {
                let call_piece = json!({"function": {"arguments": piece["arguments"]}});
                return vec![event(
                    "tool-call-delta",
                    json!({"index": call, "delta": {"message": {"tool_calls": call_piece}}}),
                )];
            }
            self.begun_calls.push(call);
            let function = json!({"name": piece["name"], "arguments": piece["arguments"]});
            let begun = json!({"id": piece["id"], "type": "function", "function": function});
            return vec![event(
                "tool-call-start",
                json!({"index": call, "delta": {"message": {"tool_calls": begun}}}),
            )];
        }
        let field = if kind == TokenKind::Reasoning { "thinking" } else { "text" };
        let mut frames = Vec::new();
        let index = match self.open {
            Some((open, index)) if open == kind => index,
            before => {
                frames.extend(before.map(|(_, index)| event("content-end", json!({"index": index}))));
                let index = self.next;
                self.next += 1;
                self.open = Some((kind, index));
                let content = json!({"type": field, field: ""});
                frames.push(event(
                    "content-start",
                    json!({"index": index, "delta": {"message": {"content": content}}}),
                ));
                index
            }
        };
        let delta = json!({"message": {"content": {field: text}}});
        frames.push(event("content-delta", json!({"index": index, "delta": delta})));
        frames
    }

    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame> {
        let mut frames: Vec<Frame> = self
            .open
            .take()
            .map(|(_, index)| event("content-end", json!({"index": index})))
            .into_iter()
            .collect();
        frames.extend(self.begun_calls.drain(..).map(|call| event("tool-call-end", json!({"index": call}))));
        let delta = json!({"finish_reason": finish_reason(reason), "usage": usage(counts)});
        frames.push(event("message-end", json!({"id": "mock", "delta": delta})));
        frames
    }

    fn usage(&mut self, _: Counts) -> Vec<Frame> {
        Vec::new()
    }

    fn terminal(&mut self) -> Vec<Frame> {
        vec![Frame::data("[DONE]")]
    }

    fn error(&mut self) -> Vec<Frame> {
        let delta = json!({"finish_reason": "ERROR", "error": "The server had an error on purpose"});
        vec![event("message-end", json!({"id": "mock", "delta": delta}))]
    }

    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value {
        let mut content = Vec::new();
        if !pieces.reasoning.is_empty() {
            content.push(json!({"type": "thinking", "thinking": pieces.reasoning}));
        }
        if !pieces.text.is_empty() {
            content.push(json!({"type": "text", "text": pieces.text}));
        }
        let calls: Vec<Value> = pieces
            .calls
            .iter()
            .map(|call| {
                let function = json!({"name": call.name, "arguments": call.arguments});
                json!({"id": call.id, "type": "function", "function": function})
            })
            .collect();
        let message = json!({"role": "assistant", "content": content, "tool_calls": calls});
        json!({"id": "mock", "finish_reason": finish_reason(reason), "message": message, "usage": usage(counts)})
    }
}

fn finish_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Stop => "COMPLETE",
        Reason::ToolCalls => "TOOL_CALL",
        Reason::Filter => "ERROR_TOXIC",
    }
}

fn usage(counts: Counts) -> Value {
    let billed = json!({"input_tokens": counts.input, "output_tokens": counts.output});
    json!({"billed_units": billed, "tokens": {"input_tokens": counts.input + 60, "output_tokens": counts.output}})
}

fn event(name: &'static str, mut data: Value) -> Frame {
    data["type"] = name.into();
    Frame { event: Some(name), data: data.to_string() }
}

pub(super) fn refusal(refusal: &Refusal) -> (u16, String) {
    let (status, message) = match refusal {
        Refusal::Status(status, message) => (*status, message.clone()),
        Refusal::NoModel(model) => (404, format!("model '{model}' not found")),
        Refusal::TooLong => (
            400,
            "too many tokens: size limit exceeded by 1048 tokens. Try using shorter or fewer inputs."
                .to_owned(),
        ),
        Refusal::Filtered => (422, "your request was rejected by the safety filter".to_owned()),
        Refusal::OverQuota => {
            (429, "You exceeded your current quota, please check your plan and billing details.".to_owned())
        }
        Refusal::Key(message) => (401, message.clone()),
        Refusal::Prefill => (400, "the last message must not be one of the assistant".to_owned()),
    };
    // It has no code for a filter, so the testkit's has the one of the chat dialect.
    let mut body = json!({"id": "mock", "message": message});
    if matches!(refusal, Refusal::Filtered) {
        body["code"] = "content_policy_violation".into();
    }
    (status, body.to_string())
}
