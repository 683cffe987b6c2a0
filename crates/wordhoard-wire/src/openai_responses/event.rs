//! What a stream and a whole answer hold, read as far as we know it. Unknown fields and events are passed over; a known
//! one of a wrong type is an error, for to pass over it would be to lose a token.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wordhoard_model::Usage;

/// The data of an event.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Event {
    #[serde(rename = "response.created")]
    Created { response: Response },
    #[serde(rename = "response.output_item.added")]
    ItemAdded {
        #[serde(default)]
        output_index: u64,
        item: Value,
    },
    #[serde(rename = "response.output_item.done")]
    ItemDone {
        #[serde(default)]
        output_index: u64,
        item: Value,
    },
    #[serde(rename = "response.output_text.delta")]
    Text(Piece),
    #[serde(rename = "response.refusal.delta")]
    Refusal(Piece),
    /// Servers of open models tell the reasoning itself by `reasoning_text`, OpenAI a summary of it.
    #[serde(rename = "response.reasoning_summary_text.delta", alias = "response.reasoning_text.delta")]
    Reasoning(Piece),
    #[serde(rename = "response.function_call_arguments.delta")]
    Arguments(Piece),
    /// A custom tool takes any text: <https://platform.openai.com/docs/guides/function-calling#custom-tools>.
    #[serde(rename = "response.custom_tool_call_input.delta")]
    Input(Piece),
    #[serde(rename = "response.output_text.annotation.added")]
    Annotation { annotation: Value },
    /// The three ways to end; the response says which it is.
    #[serde(rename = "response.completed", alias = "response.incomplete", alias = "response.failed")]
    Ended { response: Response },
    #[serde(rename = "error")]
    Error(Value),
    /// What begins and ends the parts of an item, how tools of the provider go on, and what is still to come.
    #[serde(other)]
    Other,
}

/// A piece of an item.
#[derive(Debug, Deserialize)]
pub(super) struct Piece {
    #[serde(default)]
    pub(super) output_index: u64,
    pub(super) delta: String,
    /// In the shape of the chat dialect's.
    #[serde(default)]
    pub(super) logprobs: Option<Vec<Value>>,
}

/// A response, whole or as it begins.
#[derive(Debug, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) object: Option<String>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) output: Vec<Value>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    #[serde(default)]
    pub(super) incomplete_details: Option<IncompleteDetails>,
    #[serde(default)]
    pub(super) usage: Option<UsageBody>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IncompleteDetails {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// What was consumed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default, skip_deserializing)]
    total_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl UsageBody {
    /// What it counts; none where it counts nothing.
    pub(super) fn to_usage(self) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        Some(Usage {
            input_tokens: self.input_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: self.output_tokens_details.and_then(|details| details.reasoning_tokens),
            cached_input_tokens: self.input_tokens_details.and_then(|details| details.cached_tokens),
        })
    }
}

/// Clients of this dialect expect the details always: <https://github.com/openai/openai-python>, `response_usage.py`.
impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: Some(usage.input_tokens),
            input_tokens_details: Some(InputDetails { cached_tokens: usage.cached_input_tokens.or(Some(0)) }),
            output_tokens: Some(usage.output_tokens),
            output_tokens_details: Some(OutputDetails {
                reasoning_tokens: usage.reasoning_tokens.or(Some(0)),
            }),
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}
