//! One chunk of a provider's stream, read as far as we know it. Unknown fields are passed over; a known one of a wrong
//! type is an error, for to pass over it would be to lose a token.

use serde::Deserialize;
use serde_json::Value;

use super::beside;
use super::usage::UsageBody;
use crate::{Delta, ToolCallPiece};
use wordhoard_model::TokenKind;

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) model: Option<String>,
    /// Null or missing in the usage chunk of some servers: <https://docs.rs/openai-interface/0.13.0>,
    /// `chat/create/response.rs` on vLLM.
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<UsageBody>,
    /// Set where the answer failed in mid-stream; OpenRouter sends it beside a choice:
    /// <https://openrouter.ai/docs/api/reference/errors-and-debugging>.
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: u64,
    #[serde(default)]
    pub(super) delta: Option<DeltaBody>,
    /// Of an answer that comes whole.
    #[serde(default)]
    pub(super) message: Option<DeltaBody>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    #[serde(default)]
    pub(super) logprobs: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct DeltaBody {
    #[serde(default)]
    content: Option<String>,
    /// DeepSeek: <https://api-docs.deepseek.com/guides/reasoning_model>.
    #[serde(default)]
    reasoning_content: Option<String>,
    /// OpenRouter, and vLLM since 0.11, which for a time sends both spellings with the same text:
    /// <https://docs.vllm.ai/en/v0.11.2/features/reasoning_outputs/>.
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCallBody>>,
    /// What `tool_calls` was before it was a list.
    #[serde(default)]
    function_call: Option<FunctionBody>,
    /// What a search has found.
    #[serde(default)]
    annotations: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
struct ToolCallBody {
    /// Missing from some servers, which then send each call whole; its place in the list stands for it.
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionBody>,
}

#[derive(Debug, Default, Deserialize)]
struct FunctionBody {
    #[serde(default)]
    name: Option<String>,
    /// A string; some servers send the object itself.
    #[serde(default)]
    arguments: Option<Value>,
}

impl DeltaBody {
    /// The pieces that it holds, in the order in which a model makes them.
    pub(super) fn into_deltas(self, out: &mut Vec<Delta>) {
        let mut push = |kind, text: Option<String>| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                out.push(Delta::new(kind, text));
            }
        };
        let reasoning = self.reasoning_content.filter(|text| !text.is_empty());
        push(TokenKind::Reasoning, reasoning.or(self.reasoning));
        push(TokenKind::Text, self.content);
        push(TokenKind::Refusal, self.refusal);
        for (place, call) in (0..).zip(self.tool_calls.into_iter().flatten()) {
            let function = call.function.unwrap_or_default();
            push(TokenKind::ToolCall, function.into_piece(call.index.unwrap_or(place), call.id).to_text());
        }
        if let Some(function) = self.function_call {
            push(TokenKind::ToolCall, function.into_piece(0, None).to_text());
        }
        beside::take_citations(self.annotations, out);
    }
}

impl FunctionBody {
    fn into_piece(self, index: u64, id: Option<String>) -> ToolCallPiece {
        ToolCallPiece {
            index,
            id,
            name: self.name,
            arguments: self.arguments.and_then(|arguments| match arguments {
                Value::Null => None,
                Value::String(text) => Some(text),
                object => Some(object.to_string()),
            }),
        }
    }
}
