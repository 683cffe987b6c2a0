use serde_json::{Map, Value};

use crate::name_table::name_table;

/// What an answer consumed, as the provider counts it (its tokenizer's tokens, not our deltas).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, with those read from the provider's cache or written to it.
    pub input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// The part of the output that was reasoning, where the provider tells.
    pub reasoning_tokens: Option<u64>,
    /// The part of the input that came from the provider's cache, where it tells.
    pub cached_input_tokens: Option<u64>,
    /// What has a price of its own besides.
    pub details: UsageDetails,
}

/// The parts of a usage that only some providers tell, and that some charge by prices of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageDetails {
    /// The part of the input that was written to the provider's cache.
    pub cache_write_tokens: Option<u64>,
    /// The part of the cache writes that is kept for an hour.
    pub cache_write_1h_tokens: Option<u64>,
    /// The part of the input that was sound and came from no cache.
    pub audio_input_tokens: Option<u64>,
    /// The part of the output that was sound.
    pub audio_output_tokens: Option<u64>,
    /// The part of the input that was images and came from no cache.
    pub image_input_tokens: Option<u64>,
    /// The part of the output that was images.
    pub image_output_tokens: Option<u64>,
    /// The tier in which the provider answered, where it tells.
    pub service_tier: Option<ServiceTier>,
    /// Whether the counts are ours: the call ended before the provider told its own.
    pub is_estimate: bool,
}

const SERVICE_TIER: &str = "service_tier";
const IS_ESTIMATE: &str = "is_estimate";

/// How a provider serves a request where that is not as usual: at another price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceTier {
    /// Later, for less.
    Flex,
    /// Sooner, for more.
    Priority,
    /// In a batch.
    Batch,
}

name_table!(ServiceTier {
    Flex => "flex",
    Priority => "priority",
    Batch => "batch",
});

impl Usage {
    /// The sum of both; a part that only one side tells counts as told.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
            cached_input_tokens: sum(self.cached_input_tokens, other.cached_input_tokens),
            details: self.details.plus(other.details),
        }
    }
}

impl UsageDetails {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As an object that holds what is told: the names of the fields, and `"service_tier": "flex"`.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut copy = *self;
        let mut told = Map::new();
        for (name, count) in copy.counts() {
            told.extend(count.map(|count| (name.to_owned(), Value::from(count))));
        }
        told.extend(self.service_tier.map(|tier| (SERVICE_TIER.to_owned(), Value::from(tier.as_str()))));
        told.extend(self.is_estimate.then(|| (IS_ESTIMATE.to_owned(), Value::from(true))));
        told
    }

    /// The counterpart of [`UsageDetails::to_json`]; what it does not know it passes over.
    pub fn from_json(told: &Map<String, Value>) -> Self {
        let mut details = Self {
            service_tier: told.get(SERVICE_TIER).and_then(Value::as_str).and_then(ServiceTier::from_name),
            is_estimate: told.get(IS_ESTIMATE).and_then(Value::as_bool).unwrap_or(false),
            ..Self::default()
        };
        for (name, count) in details.counts() {
            *count = told.get(name).and_then(Value::as_u64);
        }
        details
    }

    /// Without the counts of nothing, which some providers tell of all that they have a name for.
    #[must_use]
    pub fn without_zeros(mut self) -> Self {
        for (_, count) in self.counts() {
            *count = count.filter(|count| *count > 0);
        }
        self
    }

    fn counts(&mut self) -> [(&'static str, &mut Option<u64>); 6] {
        [
            ("cache_write_tokens", &mut self.cache_write_tokens),
            ("cache_write_1h_tokens", &mut self.cache_write_1h_tokens),
            ("audio_input_tokens", &mut self.audio_input_tokens),
            ("audio_output_tokens", &mut self.audio_output_tokens),
            ("image_input_tokens", &mut self.image_input_tokens),
            ("image_output_tokens", &mut self.image_output_tokens),
        ]
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cache_write_tokens: sum(self.cache_write_tokens, other.cache_write_tokens),
            cache_write_1h_tokens: sum(self.cache_write_1h_tokens, other.cache_write_1h_tokens),
            audio_input_tokens: sum(self.audio_input_tokens, other.audio_input_tokens),
            audio_output_tokens: sum(self.audio_output_tokens, other.audio_output_tokens),
            image_input_tokens: sum(self.image_input_tokens, other.image_input_tokens),
            image_output_tokens: sum(self.image_output_tokens, other.image_output_tokens),
            service_tier: self.service_tier.filter(|tier| other.service_tier == Some(*tier)),
            is_estimate: self.is_estimate || other.is_estimate,
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (None, None) => None,
        _ => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}
