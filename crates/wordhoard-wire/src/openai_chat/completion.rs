use serde_json::{Value, json};
use wordhoard_model::{TokenKind, Usage};

use super::encoder::AnswerHead;
use super::tool_call::ToolCallPiece;
use super::usage::UsageBody;
use crate::Delta;

/// A whole answer as one body, for a client that asked for no stream.
pub fn encode_completion(
    head: &AnswerHead,
    deltas: &[Delta],
    reason: &str,
    usage: Option<&Usage>,
) -> Vec<u8> {
    let joined = |kind| {
        let pieces: Vec<&str> =
            deltas.iter().filter(|delta| delta.kind == kind).map(|delta| delta.text.as_str()).collect();
        (!pieces.is_empty()).then(|| pieces.concat())
    };
    let mut message = json!({
        "role": "assistant",
        "content": joined(TokenKind::Text),
        "refusal": joined(TokenKind::Refusal),
    });
    if let Some(reasoning) = joined(TokenKind::Reasoning) {
        message["reasoning_content"] = reasoning.into();
    }
    let calls = tool_calls(deltas);
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let mut body = json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created_s,
        "model": head.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
    });
    if let Some(usage) = usage {
        body["usage"] = json!(UsageBody::from(usage));
    }
    body.to_string().into_bytes()
}

/// The calls that the fragments make up, in the order of their first fragments.
fn tool_calls(deltas: &[Delta]) -> Vec<Value> {
    let mut calls: Vec<ToolCallPiece> = Vec::new();
    for delta in deltas.iter().filter(|delta| delta.kind == TokenKind::ToolCall) {
        let piece = ToolCallPiece::from_text(&delta.text);
        match calls.iter_mut().find(|call| call.index == piece.index) {
            Some(call) => {
                call.id = call.id.take().or(piece.id);
                call.name = call.name.take().or(piece.name);
                let arguments = call.arguments.get_or_insert_default();
                arguments.push_str(&piece.arguments.unwrap_or_default());
            }
            None => calls.push(piece),
        }
    }
    let encode = |call: ToolCallPiece| {
        let arguments = call.arguments.unwrap_or_default();
        json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
    };
    calls.into_iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_by_kind_and_call() {
        let call = |text: &str| Delta { kind: TokenKind::ToolCall, text: text.into() };
        let deltas = [
            Delta::text("a"),
            call(r#"{"index":0,"id":"x","name":"f","arguments":""}"#),
            call(r#"{"index":1,"id":"y","name":"g","arguments":"{}"}"#),
            call(r#"{"index":0,"arguments":"{\"k\":1}"}"#),
            Delta::text("b"),
        ];
        let head = AnswerHead { id: "i".into(), created_s: 1, model: "m".into() };
        let body = encode_completion(&head, &deltas, "tool_calls", Some(&Usage::default()));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let message = &body["choices"][0]["message"];
        assert_eq!(message["content"], "ab");
        assert_eq!(message["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{\"k\":1}"}));
        assert_eq!(message["tool_calls"][1]["id"], "y");
        assert_eq!(body["usage"]["total_tokens"], 0);
    }
}
