//! What a stream and a whole answer hold, read as far as we know it. Unknown fields and events are passed over.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wordhoard_model::{ServiceTier, Usage, UsageDetails};

/// The data of an event: its type, and the fields that some type has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) message: Option<Message>,
    pub(super) index: u64,
    pub(super) content_block: Option<Value>,
    /// A piece of a block, or what is new of the message.
    pub(super) delta: Option<Value>,
    pub(super) usage: Option<UsageBody>,
    pub(super) error: Option<Value>,
}

/// A message, whole or as it begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) model: Option<String>,
    pub(super) content: Vec<Value>,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Option<UsageBody>,
}

/// What was consumed. Each later one tells all that the earlier ones did, as far as it tells it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct UsageBody {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    service_tier: Option<String>,
    /// Where the model ran, and how often the provider's own tools were used: null where another provider answered, and not
    /// read, since Anthropic's own usage goes on as it came.
    #[serde(skip_deserializing)]
    inference_geo: (),
    #[serde(skip_deserializing)]
    server_tool_use: (),
}

/// How long what was written to the cache is kept there:
/// <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>, 1-hour cache duration.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
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
            cache_creation: later.cache_creation.or(self.cache_creation),
            output_tokens: later.output_tokens.or(self.output_tokens),
            output_tokens_details: later.output_tokens_details.or(self.output_tokens_details),
            service_tier: later.service_tier.or(self.service_tier),
            ..self
        }
    }

    /// `input_tokens` leaves out what was written to the cache or read from it:
    /// <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>.
    pub(super) fn to_usage(&self) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let creation = self.cache_creation.unwrap_or_default();
        let kept = [creation.ephemeral_5m_input_tokens, creation.ephemeral_1h_input_tokens];
        let kept = kept.into_iter().flatten().reduce(u64::saturating_add);
        let written = self.cache_creation_input_tokens.or(kept);
        let parts = [self.input_tokens, written, self.cache_read_input_tokens];
        Some(Usage {
            input_tokens: parts.into_iter().flatten().fold(0, u64::saturating_add),
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: self.output_tokens_details.and_then(|details| details.thinking_tokens),
            cached_input_tokens: self.cache_read_input_tokens,
            details: UsageDetails {
                cache_write_tokens: written,
                cache_write_1h_tokens: creation.ephemeral_1h_input_tokens,
                service_tier: self.service_tier.as_deref().and_then(ServiceTier::from_name),
                ..UsageDetails::default()
            }
            .without_zeros(),
        })
    }
}

/// Strict clients of this dialect want every field: <https://github.com/anthropics/anthropic-sdk-python>, `types/usage.py`.
impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let details = usage.details;
        let cached = usage.cached_input_tokens.map(|cached| cached.min(usage.input_tokens));
        let uncached = usage.input_tokens - cached.unwrap_or(0);
        // Who tells what was read from the cache tells what was written too.
        let written = details.cache_write_tokens.or(cached.map(|_| 0)).map(|written| written.min(uncached));
        let creation = |written: u64| {
            let for_an_hour = details.cache_write_1h_tokens.unwrap_or(0).min(written);
            CacheCreation {
                ephemeral_5m_input_tokens: Some(written - for_an_hour),
                ephemeral_1h_input_tokens: Some(for_an_hour),
            }
        };
        Self {
            input_tokens: Some(uncached - written.unwrap_or(0)),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: cached,
            cache_creation: written.map(creation),
            output_tokens: Some(usage.output_tokens),
            output_tokens_details: usage
                .reasoning_tokens
                .map(|thinking| OutputDetails { thinking_tokens: Some(thinking) }),
            service_tier: Some(own_tier(details.service_tier).to_owned()),
            ..Self::default()
        }
    }
}

/// <https://platform.claude.com/docs/en/api/messages>, usage.service_tier: there is no tier that is later for less.
fn own_tier(tier: Option<ServiceTier>) -> &'static str {
    match tier {
        Some(tier @ (ServiceTier::Priority | ServiceTier::Batch)) => tier.as_str(),
        Some(ServiceTier::Flex) | None => "standard",
    }
}
