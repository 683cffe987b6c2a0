//! Google's `generateContent` and `streamGenerateContent`.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::{Call, Counts, Frame, Pieces, Reason, Refusal, Speaker};
use crate::provider::ReceivedCall;

pub(super) struct Gemini {
    model: String,
    /// It has no pieces of calls, so that they come at the end.
    calls: Vec<Call>,
    /// Whether each token is told with its probability.
    logprobs: bool,
}

impl Gemini {
    pub(super) fn new(call: &ReceivedCall, model: &str) -> Self {
        let logprobs = call.body["generationConfig"]["responseLogprobs"] == true;
        Self { model: model.to_owned(), calls: Vec::new(), logprobs }
    }

    fn response(&self, parts: &[Value], reason: Option<Reason>, counts: Counts) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if let Some(reason) = reason {
            candidate["finishReason"] = match reason {
                Reason::Stop | Reason::ToolCalls => "STOP",
                Reason::Filter => "SAFETY",
            }
            .into();
        }
        let mut usage = json!({
            "promptTokenCount": counts.input,
            "candidatesTokenCount": counts.output - counts.reasoning,
            "totalTokenCount": counts.input + counts.output,
        });
        if counts.reasoning > 0 {
            usage["thoughtsTokenCount"] = counts.reasoning.into();
        }
        json!({
            "candidates": [candidate], "usageMetadata": usage, "modelVersion": self.model, "responseId": "mock",
        })
    }
}

const NOTHING_YET: Counts = Counts { input: 0, output: 0, reasoning: 0 };

impl Speaker for Gemini {
    fn opening(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame> {
        let part = match kind {
            TokenKind::ToolCall => {
                Call::append(&mut self.calls, text);
                return Vec::new();
            }
            TokenKind::Reasoning => json!({"text": text, "thought": true}),
            _ => json!({"text": text}),
        };
        let mut response = self.response(&[part], None, NOTHING_YET);
        if self.logprobs && kind == TokenKind::Text {
            let likely = json!({"token": text, "tokenId": 7, "logProbability": -0.5});
            response["candidates"][0]["logprobsResult"] =
                json!({"topCandidates": [{"candidates": [likely]}], "chosenCandidates": [likely]});
        }
        vec![Frame::data(response)]
    }

    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame> {
        let calls = std::mem::take(&mut self.calls);
        let parts: Vec<Value> = calls.iter().map(call_part).collect();
        vec![Frame::data(self.response(&parts, Some(reason), counts))]
    }

    fn usage(&mut self, _: Counts) -> Vec<Frame> {
        Vec::new()
    }

    fn terminal(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn error(&mut self) -> Vec<Frame> {
        let message = "The server had an error on purpose";
        vec![Frame::data(json!({"error": {"code": 500, "message": message, "status": "INTERNAL"}}))]
    }

    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value {
        let mut parts = Vec::new();
        if !pieces.reasoning.is_empty() {
            parts.push(json!({"text": pieces.reasoning, "thought": true}));
        }
        if !pieces.text.is_empty() {
            parts.push(json!({"text": pieces.text}));
        }
        parts.extend(pieces.calls.iter().map(call_part));
        self.response(&parts, Some(reason), counts)
    }
}

fn call_part(call: &Call) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
    json!({"functionCall": {"id": call.id, "name": call.name, "args": args}})
}

pub(super) fn refusal(refusal: &Refusal) -> (u16, String) {
    let (status, message, name) = match refusal {
        Refusal::Status(status, message) => (*status, message.clone(), "ABORTED"),
        Refusal::NoModel(model) => {
            (404, format!("models/{model} is not found for API version v1beta"), "NOT_FOUND")
        }
        Refusal::TooLong => (
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
                .to_owned(),
            "INVALID_ARGUMENT",
        ),
        Refusal::OverQuota => {
            (429, "You exceeded your current quota, please check your plan.".to_owned(), "RESOURCE_EXHAUSTED")
        }
        // It answers 200, and says so in the answer.
        Refusal::Filtered => {
            let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
            return (200, body.to_string());
        }
        Refusal::Key(message) => {
            let details =
                json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
            let error =
                json!({"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details});
            return (400, json!({"error": error}).to_string());
        }
        Refusal::Prefill => {
            (400, "Please ensure that multiturn requests end with a user role".to_owned(), "INVALID_ARGUMENT")
        }
    };
    (status, json!({"error": {"code": status, "message": message, "status": name}}).to_string())
}
