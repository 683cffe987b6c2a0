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
    /// The item that it is of.
    pub(super) output_index: Option<u64>,
    /// The part of the item.
    pub(super) content_index: Option<u64>,
    pub(super) summary_index: Option<u64>,
    pub(super) item: Option<Value>,
    /// A piece of a text.
    pub(super) delta: Option<String>,
    /// The whole text, at its end, by the name that it has there.
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) arguments: Option<String>,
    pub(super) input: Option<String>,
    /// In the shape of the chat dialect's.
    pub(super) logprobs: Option<Vec<Value>>,
    pub(super) annotation: Option<Value>,
    pub(super) response: Option<Response>,
}

/// A response, whole or as it begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) object: Option<String>,
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) status: Option<String>,
    pub(super) output: Vec<Value>,
    pub(super) error: Option<Value>,
    pub(super) incomplete_details: Option<IncompleteDetails>,
    pub(super) usage: Option<UsageBody>,
    pub(super) service_tier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IncompleteDetails {
    pub(super) reason: Option<String>,
}

/// What was consumed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct UsageBody {
    input_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    total_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
}

impl Response {
    /// What it consumed, as far as it tells.
    pub(super) fn usage(&self) -> Option<Usage> {
        let tier = self.service_tier.as_deref().and_then(ServiceTier::from_name);
        self.usage.and_then(|usage| usage.to_usage(tier))
    }
}

impl UsageBody {
    /// What it counts; none where it counts nothing. Of what is told only as a total, the prompt has what the answer has not.
    fn to_usage(self, service_tier: Option<ServiceTier>) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() && self.total_tokens.is_none() {
            return None;
        }
        let (input_details, output_details) =
            (self.input_tokens_details.unwrap_or_default(), self.output_tokens_details.unwrap_or_default());
        let rest_of_total =
            |known: Option<u64>| self.total_tokens.map(|total| total.saturating_sub(known.unwrap_or(0)));
        let input = self.input_tokens.or_else(|| rest_of_total(self.output_tokens));
        let output = self.output_tokens.or_else(|| rest_of_total(input));
        Some(Usage {
            input_tokens: input.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            reasoning_tokens: output_details.reasoning_tokens,
            cached_input_tokens: input_details.cached_tokens,
            details: UsageDetails {
                cache_write_tokens: input_details.cache_write_tokens,
                audio_input_tokens: input_details.audio_tokens,
                image_input_tokens: input_details.image_tokens,
                audio_output_tokens: output_details.audio_tokens,
                image_output_tokens: output_details.image_tokens,
                service_tier,
                ..UsageDetails::default()
            }
            .without_zeros(),
        })
    }
}

/// Clients of this dialect expect the details always: <https://github.com/openai/openai-python>, `response_usage.py`.
impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let details = usage.details;
        Self {
            input_tokens: Some(usage.input_tokens),
            input_tokens_details: Some(InputDetails {
                cached_tokens: usage.cached_input_tokens.or(Some(0)),
                cache_write_tokens: details.cache_write_tokens,
                audio_tokens: details.audio_input_tokens,
                image_tokens: details.image_input_tokens,
            }),
            output_tokens: Some(usage.output_tokens),
            output_tokens_details: Some(OutputDetails {
                reasoning_tokens: usage.reasoning_tokens.or(Some(0)),
                audio_tokens: details.audio_output_tokens,
                image_tokens: details.image_output_tokens,
            }),
            total_tokens: Some(usage.input_tokens.saturating_add(usage.output_tokens)),
        }
    }
}
