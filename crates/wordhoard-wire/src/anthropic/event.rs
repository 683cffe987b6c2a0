//! What a stream and a whole answer hold, read as far as we know it. Unknown fields and events are passed over; a known
//! one of a wrong type is an error, for to pass over it would be to lose a token.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wordhoard_model::Usage;

/// The data of an event.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        index: u64,
        delta: Value,
    },
    ContentBlockStop {},
    MessageDelta {
        delta: MessageDelta,
        #[serde(default)]
        usage: Option<UsageBody>,
    },
    MessageStop {},
    Error {
        error: Value,
    },
    /// `ping`, and what is still to come.
    #[serde(other)]
    Other,
}

/// A message, whole or as it begins.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) content: Vec<Value>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<UsageBody>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageDelta {
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
}

/// What was consumed. Each later one tells all that the earlier ones did, as far as it tells it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl UsageBody {
    /// What a later one adds to this one.
    pub(super) fn updated(self, later: Self) -> Self {
        Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
        }
    }

    /// `input_tokens` leaves out what was written to the cache or read from it:
    /// <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>.
    pub(super) fn to_usage(self) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let parts = [self.input_tokens, self.cache_creation_input_tokens, self.cache_read_input_tokens];
        Some(Usage {
            input_tokens: parts.into_iter().flatten().fold(0, u64::saturating_add),
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: None,
            cached_input_tokens: self.cache_read_input_tokens,
        })
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let cached = usage.cached_input_tokens.map(|cached| cached.min(usage.input_tokens));
        Self {
            input_tokens: Some(usage.input_tokens - cached.unwrap_or(0)),
            cache_creation_input_tokens: None,
            cache_read_input_tokens: cached,
            output_tokens: Some(usage.output_tokens),
        }
    }
}
