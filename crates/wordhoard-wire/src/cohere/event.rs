//! What a stream and a whole answer hold, read as far as we know it. Unknown fields and events are passed over.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wordhoard_model::{TokenKind, Usage, UsageDetails};

use crate::{Delta, ToolCallPiece};

/// The data of an event: its type, and the fields that some type has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    index: u64,
    pub(super) delta: Option<EventDelta>,
    pub(super) error: Option<Value>,
}

/// A piece of the message, or how it ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventDelta {
    message: Option<MessagePiece>,
    pub(super) finish_reason: Option<String>,
    pub(super) usage: Option<UsageBody>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessagePiece {
    content: Option<Content>,
    tool_plan: Option<String>,
    tool_calls: Option<ToolCallBody>,
    citations: Option<Value>,
}

/// Text or reasoning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    text: Option<String>,
    thinking: Option<String>,
}

/// A tool call, or a fragment of one.
#[derive(Debug, Deserialize)]
pub(super) struct ToolCallBody {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionBody>,
}

#[derive(Debug, Default, Deserialize)]
struct FunctionBody {
    #[serde(default)]
    name: Option<String>,
    /// A text; some servers send the object itself.
    #[serde(default)]
    arguments: Option<Value>,
}

/// What was consumed. `billed_units` is what the price is for; `tokens` has what the provider adds to the prompt too.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    billed_units: Option<Counts>,
    #[serde(default)]
    tokens: Option<Counts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<f64>,
}

/// The reference has them as numbers with a fraction.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Counts {
    #[serde(default)]
    input_tokens: Option<f64>,
    #[serde(default)]
    output_tokens: Option<f64>,
}

impl Event {
    /// The pieces that it holds.
    pub(super) fn into_deltas(self, out: &mut Vec<Delta>) {
        let Some(message) = self.delta.and_then(|delta| delta.message) else { return };
        push(out, TokenKind::Reasoning, message.tool_plan);
        if let Some(content) = message.content {
            content.into_deltas(out);
        }
        if let Some(call) = message.tool_calls {
            push(out, TokenKind::ToolCall, call.into_piece(self.index).to_text());
        }
        if let Some(citation) = message.citations.filter(Value::is_object) {
            push(out, TokenKind::Annotation, Some(citation.to_string()));
        }
    }
}

impl Content {
    pub(super) fn into_deltas(self, out: &mut Vec<Delta>) {
        push(out, TokenKind::Reasoning, self.thinking);
        push(out, TokenKind::Text, self.text);
    }
}

impl ToolCallBody {
    pub(super) fn into_piece(self, index: u64) -> ToolCallPiece {
        let function = self.function.unwrap_or_default();
        let arguments = match function.arguments {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(object) => Some(object.to_string()),
        };
        ToolCallPiece { index, id: self.id, name: function.name, arguments }
    }
}

pub(super) fn push(out: &mut Vec<Delta>, kind: TokenKind, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        out.push(Delta::new(kind, text));
    }
}

impl UsageBody {
    pub(super) fn to_usage(self) -> Option<Usage> {
        let counts = self.billed_units.or(self.tokens)?;
        let whole = |count: f64| count.clamp(0.0, u64::MAX as f64) as u64;
        if counts.input_tokens.is_none() && counts.output_tokens.is_none() {
            return None;
        }
        Some(Usage {
            input_tokens: counts.input_tokens.map_or(0, whole),
            output_tokens: counts.output_tokens.map_or(0, whole),
            reasoning_tokens: None,
            cached_input_tokens: self.cached_tokens.map(whole),
            details: UsageDetails::default(),
        })
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let counts = Counts {
            input_tokens: Some(usage.input_tokens as f64),
            output_tokens: Some(usage.output_tokens as f64),
        };
        Self {
            billed_units: Some(counts),
            tokens: Some(counts),
            cached_tokens: usage.cached_input_tokens.map(|cached| cached as f64),
        }
    }
}
