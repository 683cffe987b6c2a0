use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Call, Counts, Frame, Pieces, Reason, Refusal, Speaker};
use crate::provider::ReceivedCall;
use crate::provider::tokens::delta_body;

pub(super) struct Chat {
    model: Value,
    /// Whether each token is told with its probability.
    logprobs: bool,
}

impl Chat {
    pub(super) fn new(call: &ReceivedCall, model: &str) -> Self {
        Self { model: model.into(), logprobs: call.body["logprobs"] == true }
    }

    /// Put together as text: a bench makes tens of thousands of these a second, and a tree of values costs more.
    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Vec<Frame> {
        let (model, reason) = (&self.model, Value::from(finish_reason));
        vec![Frame::data(format!(
            "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":{model},\
             \"system_fingerprint\":\"fp_mock\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{reason}}}],\"usage\":null}}"
        ))]
    }
}

impl Speaker for Chat {
    fn opening(&mut self) -> Vec<Frame> {
        self.chunk(&json!({"role": "assistant", "content": "", "refusal": null}), None)
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame> {
        let said = delta_body(kind, text);
        if self.logprobs && kind == TokenKind::Text {
            let logprobs = json!({"content": [logprob(text)], "refusal": null});
            let choice = json!({"index": 0, "delta": said, "logprobs": logprobs, "finish_reason": null});
            return vec![Frame::data(json!({"model": self.model, "choices": [choice]}))];
        }
        self.chunk(&said, None)
    }

    fn reason(&mut self, reason: Reason, _: Counts) -> Vec<Frame> {
        self.chunk(&json!({}), Some(finish_reason(reason)))
    }

    fn usage(&mut self, counts: Counts) -> Vec<Frame> {
        vec![Frame::data(json!({
            "id": "chatcmpl-mock",
            "object": "chat.completion.chunk",
            "created": 1_764_000_000,
            "model": self.model,
            "choices": [],
            "usage": usage(counts),
        }))]
    }

    fn terminal(&mut self) -> Vec<Frame> {
        vec![Frame::data("[DONE]")]
    }

    fn error(&mut self) -> Vec<Frame> {
        let error =
            json!({"error": {"message": "The server had an error on purpose", "type": "server_error"}});
        vec![Frame::data(error)]
    }

    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value {
        let mut message = json!({"role": "assistant", "content": pieces.text, "refusal": null});
        if !pieces.reasoning.is_empty() {
            message["reasoning_content"] = pieces.reasoning.as_str().into();
        }
        if !pieces.calls.is_empty() {
            let call = |Call { id, name, arguments, .. }: &Call| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
            message["tool_calls"] = pieces.calls.iter().map(call).collect();
        }
        json!({
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "created": 1_764_000_000,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(reason)}],
            "usage": usage(counts),
        })
    }
}

fn logprob(text: &str) -> Value {
    json!({"token": text, "logprob": -0.5, "bytes": text.as_bytes(), "top_logprobs": []})
}

fn finish_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Stop => "stop",
        Reason::ToolCalls => "tool_calls",
        Reason::Filter => "content_filter",
    }
}

fn usage(counts: Counts) -> Value {
    json!({
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    })
}

pub(super) fn refusal(refusal: &Refusal) -> (u16, String) {
    let (status, message, code) = match refusal {
        Refusal::Status(status, message) => (*status, message.clone(), "on_purpose"),
        Refusal::NoModel(model) => {
            (404, format!("The model `{model}` does not exist"), "model_not_found")
        }
        Refusal::TooLong => (
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
                .to_owned(),
            "context_length_exceeded",
        ),
        Refusal::Filtered => {
            (400, "Your request was rejected as a result of our safety system.".to_owned(), "content_policy_violation")
        }
        Refusal::OverQuota => (429, "You exceeded your current quota, please check your plan and billing details.".to_owned(), "insufficient_quota"),
        Refusal::Key(message) => (401, message.clone(), "invalid_api_key"),
        Refusal::Prefill => {
            (400, "The last message must not be one of the assistant".to_owned(), "invalid_value")
        }
    };
    let body =
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
    (status, body.to_string())
}
