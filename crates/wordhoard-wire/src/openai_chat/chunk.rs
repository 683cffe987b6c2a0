//! One chunk of a provider's stream, read as far as we know it. Unknown fields are passed over.

use serde::Deserialize;
use serde_json::Value;

use super::beside;
use super::usage::UsageBody;
use crate::{Delta, ToolCallPiece, tolerant};
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
    #[serde(default)]
    pub(super) service_tier: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: u64,
    #[serde(default)]
    pub(super) delta: Option<DeltaBody>,
    /// Of an answer that comes whole; some servers have it in streams too, with all that was said.
    #[serde(default)]
    pub(super) message: Option<DeltaBody>,
    /// Moonshot's place for it: <https://platform.moonshot.ai/docs/api/chat>.
    #[serde(default)]
    pub(super) usage: Option<UsageBody>,
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
    content: Option<Content>,
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
    pub(super) tool_calls: Option<Vec<ToolCallBody>>,
    /// What `tool_calls` was before it was a list.
    #[serde(default)]
    pub(super) function_call: Option<FunctionBody>,
    /// What a search has found.
    #[serde(default)]
    annotations: Option<Vec<Value>>,
}

/// A text, or a list of parts as Mistral's models have it that reason: <https://docs.mistral.ai/capabilities/reasoning/>.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Value>),
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCallBody {
    /// Missing from some servers, which then send each call whole.
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionBody>,
    /// A call of a custom tool, of which the input is any text.
    #[serde(default)]
    pub(super) custom: Option<CustomBody>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionBody {
    #[serde(default)]
    pub(super) name: Option<String>,
    /// A string; some servers send the object itself.
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CustomBody {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) input: Option<String>,
}

/// What a delta or a message says, besides the calls of tools.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) reasoning: String,
    pub(super) text: String,
    pub(super) refusal: String,
}

impl DeltaBody {
    /// What it says.
    pub(super) fn take_said(&mut self) -> Said {
        let reasoning = self.reasoning_content.take().filter(|text| !text.is_empty());
        let mut said = Said {
            reasoning: reasoning.or(self.reasoning.take()).unwrap_or_default(),
            refusal: self.refusal.take().unwrap_or_default(),
            ..Said::default()
        };
        match self.content.take() {
            None => {}
            Some(Content::Text(text)) => said.text = text,
            Some(Content::Parts(parts)) => parts.iter().for_each(|part| said.take_part(part)),
        }
        said
    }

    /// What it says beside that.
    pub(super) fn take_citations(&mut self, out: &mut Vec<Delta>) {
        beside::take_citations(self.annotations.take(), out);
    }
}

impl Said {
    fn take_part(&mut self, part: &Value) {
        let thought = part.get("thinking").map(|thought| match thought {
            Value::Array(parts) => tolerant::text_of_parts(parts).unwrap_or_default(),
            thought => thought.as_str().unwrap_or_default().to_owned(),
        });
        match thought {
            Some(thought) => self.reasoning.push_str(&thought),
            None => {
                self.text.push_str(part.as_str().or_else(|| part.get("text")?.as_str()).unwrap_or_default());
            }
        }
    }

    /// The pieces, in the order in which a model makes them.
    pub(super) fn into_deltas(self) -> impl Iterator<Item = Delta> {
        let kinds = [
            (TokenKind::Reasoning, self.reasoning),
            (TokenKind::Text, self.text),
            (TokenKind::Refusal, self.refusal),
        ];
        kinds.into_iter().filter(|(_, text)| !text.is_empty()).map(|(kind, text)| Delta::new(kind, text))
    }
}

impl FunctionBody {
    /// The call, or what comes of it.
    pub(super) fn into_piece(self, id: Option<String>) -> ToolCallPiece {
        ToolCallPiece {
            index: 0,
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
