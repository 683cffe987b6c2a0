use serde_json::{Value, json};
use wordhoard_model::{Failure, FinishReason, TokenKind, Usage};

use super::CALL_ID_PREFIX;
use super::beside;
use super::chunk::Chunk;
use super::decoder::ChatFold;
use super::encoder::custom_call;
use crate::error_body::classify_error_body;
use crate::stream::{self, Fold};
use crate::tool_shape::{ToolShape, ToolShapes};
use crate::whole::{self, Block};
use crate::{AnswerHead, Asked, Completion, Delta, ProviderEvent, tolerant};

/// Decodes an answer that comes whole, and appends its pieces. Other choices than the first are passed over.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    if let Some(failure) = classify_error_body(body) {
        return Err(failure);
    }
    let whole: Chunk = tolerant::read_bytes(body).map_err(|error| stream::bad_event(&error))?;
    let mut fold = ChatFold::default();
    fold.take_chunk(whole, out)?;
    fold.finish()
}

/// A whole answer as one body, for a client that asked for no stream.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    encode_answer_for(head, &Asked::default(), deltas, completion)
}

/// As [`encode_answer`], for the answer to a request.
pub fn encode_answer_for(
    head: &AnswerHead,
    asked: &Asked,
    deltas: &[Delta],
    completion: &Completion,
) -> Vec<u8> {
    body(head, vec![choice(0, &head.id, &asked.tools, deltas, completion)], completion.usage.as_ref())
}

/// One of several answers.
#[derive(Clone, Debug)]
pub struct WholeChoice {
    /// The model that answered, as `provider:model`.
    pub model: String,
    /// Its pieces.
    pub deltas: Vec<Delta>,
    /// The events of a provider of the client's dialect that they came out of, where those are kept.
    pub events: Vec<ProviderEvent>,
    /// Its end.
    pub completion: Completion,
}

/// Several answers as one body. Beyond OpenAI's, each choice says whose it is: they may be of different models. The usage is
/// that of all of them.
pub fn encode_choices(head: &AnswerHead, choices: &[WholeChoice]) -> Vec<u8> {
    let value = |(index, one): (usize, &WholeChoice)| {
        let mut value = choice(
            index,
            &format!("{}{index}", head.id),
            &ToolShapes::default(),
            &one.deltas,
            &one.completion,
        );
        value["model"] = one.model.as_str().into();
        value
    };
    let usage = choices.iter().filter_map(|one| one.completion.usage).reduce(Usage::plus);
    body(head, choices.iter().enumerate().map(value).collect(), usage.as_ref())
}

fn body(head: &AnswerHead, choices: Vec<Value>, usage: Option<&Usage>) -> Vec<u8> {
    let mut body = json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created_s,
        "model": head.model,
        "choices": choices,
    });
    if let Some(usage) = usage {
        super::usage::put(&mut body, usage);
    }
    body.to_string().into_bytes()
}

pub(super) fn choice(
    index: usize,
    answer_id: &str,
    tools: &ToolShapes,
    deltas: &[Delta],
    completion: &Completion,
) -> Value {
    let reason = completion.finish_reason.as_ref().map_or(FinishReason::STOP, |reason| &reason.0);
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
    let calls = tool_calls(answer_id, tools, deltas);
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let citations = beside::all_citations(deltas);
    if !citations.is_empty() {
        message["annotations"] = citations.into();
    }
    json!({
        "index": index, "message": message, "logprobs": beside::all_logprobs(deltas), "finish_reason": reason,
    })
}

/// The calls that the fragments make up, in the order of their first fragments.
fn tool_calls(answer_id: &str, tools: &ToolShapes, deltas: &[Delta]) -> Vec<Value> {
    let call = |block: Block| match block {
        Block::ToolCall(call) => {
            if matches!(tools.of_call(call.name.as_deref().unwrap_or_default()), ToolShape::Custom { .. }) {
                return Some(custom_call(&call, None));
            }
            let arguments = call.arguments.unwrap_or_default();
            Some(
                json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}),
            )
        }
        _ => None,
    };
    whole::blocks(CALL_ID_PREFIX, answer_id, deltas).into_iter().filter_map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_by_kind_and_call() {
        let call = |text: &str| Delta::new(TokenKind::ToolCall, text);
        let deltas = [
            Delta::text("a"),
            call(r#"{"index":0,"id":"x","name":"f","arguments":""}"#),
            call(r#"{"index":1,"id":"y","name":"g","arguments":"{}"}"#),
            call(r#"{"index":0,"arguments":"{\"k\":1}"}"#),
            Delta::text("b"),
        ];
        let head = AnswerHead { id: "i".into(), created_s: 1, model: "m".into() };
        let completion = Completion {
            finish_reason: Some(FinishReason("tool_calls".into())),
            usage: Some(Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() }),
            answered_by: Some("m".into()),
            ..Completion::default()
        };
        let body = encode_answer(&head, &deltas, &completion);
        let mut decoded = Vec::new();
        assert_eq!(decode_answer(&body, &mut decoded).unwrap(), completion);
        assert_eq!(decoded[0], Delta::text("ab"));
        assert_eq!(decoded[2], call(r#"{"index":1,"id":"y","name":"g","arguments":"{}"}"#));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let message = &body["choices"][0]["message"];
        assert_eq!(message["content"], "ab");
        assert_eq!(message["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{\"k\":1}"}));
        assert_eq!(message["tool_calls"][1]["id"], "y");
        assert_eq!(body["usage"]["total_tokens"], 3);
    }
}
