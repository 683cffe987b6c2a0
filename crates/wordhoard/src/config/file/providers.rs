//! Providers and how they are called, as they are written.

use serde::{Deserialize, Deserializer, de};
use wordhoard_providers::DollarPrice;

use crate::config::units::{DelayText, DurationText};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ProviderTable {
    pub(in crate::config) name: String,
    pub(in crate::config) dialect: DialectText,
    pub(in crate::config) base_url: Option<String>,
    pub(in crate::config) auth: Option<String>,
    #[serde(default)]
    pub(in crate::config) api_key_env: Texts,
    #[serde(default)]
    pub(in crate::config) api_key_file: Texts,
    #[serde(default)]
    pub(in crate::config) allow_private: bool,
    pub(in crate::config) concurrency: Option<usize>,
    pub(in crate::config) drop_in_concurrency: Option<usize>,
    pub(in crate::config) unsupported: Option<UnsupportedText>,
    pub(in crate::config) upstream_stream: Option<UpstreamStreamText>,
    #[serde(default)]
    pub(in crate::config) timeouts: TimeoutsTable,
    #[serde(default)]
    pub(in crate::config) models: Vec<ModelTable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::config) enum DialectText {
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(rename = "openai_responses")]
    OpenAiResponses,
    #[serde(rename = "anthropic")]
    Anthropic,
    #[serde(rename = "gemini")]
    Gemini,
    #[serde(rename = "cohere")]
    Cohere,
    #[serde(rename = "demo")]
    Demo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum UnsupportedText {
    Refuse,
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum UpstreamStreamText {
    Always,
    AsAsked,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct TimeoutsTable {
    pub(in crate::config) connect: Option<DurationText>,
    pub(in crate::config) first_token: Option<DurationText>,
    pub(in crate::config) between_bytes: Option<DurationText>,
    pub(in crate::config) total: Option<DurationText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ModelTable {
    pub(in crate::config) name: String,
    pub(in crate::config) prefill: Option<PrefillText>,
    pub(in crate::config) tools: Option<bool>,
    pub(in crate::config) images: Option<bool>,
    pub(in crate::config) json_schema: Option<bool>,
    pub(in crate::config) stream: Option<bool>,
    pub(in crate::config) context_window: Option<u64>,
    pub(in crate::config) max_output_tokens: Option<u32>,
    pub(in crate::config) price: Option<DollarPrice>,
}

/// One text, or several.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Texts(pub(in crate::config) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be a string, or a list of strings")]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::One(text) => Self(vec![text]),
            Written::Many(texts) => Self(texts),
        })
    }
}

/// `true`, `false`, or the name of a way.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct PrefillText(pub(in crate::config) Option<wordhoard_model::Prefill>);

impl<'de> Deserialize<'de> for PrefillText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use wordhoard_model::Prefill;
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be true, false, \"prefix\" or \"continue_final_message\"")]
        enum Written {
            Switch(bool),
            Way(String),
        }
        let wrong = || de::Error::custom("must be true, false, \"prefix\" or \"continue_final_message\"");
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Switch(can) => can.then_some(Prefill::Message),
            Written::Way(way) => Some(Prefill::from_name(&way).ok_or_else(wrong)?),
        }))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct FallbackTable {
    pub(in crate::config) queue: Option<Vec<String>>,
    pub(in crate::config) jitter: Option<(DelayText, DelayText)>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct BreakerTable {
    pub(in crate::config) failures: Option<u32>,
    pub(in crate::config) open: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RetryTable {
    pub(in crate::config) max: Option<u32>,
    pub(in crate::config) longest_wait: Option<DelayText>,
    pub(in crate::config) budget_share: Option<f64>,
    pub(in crate::config) budget_floor: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct QueueTable {
    pub(in crate::config) waiting: Option<usize>,
    pub(in crate::config) patience: Option<DurationText>,
}

/// A model of a class, with its share of the choice where one is given.
#[derive(Clone, Debug)]
pub(in crate::config) struct RuleText {
    pub(in crate::config) model: String,
    pub(in crate::config) weight: Option<f64>,
}

impl<'de> Deserialize<'de> for RuleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "must be \"provider:model\", or { model = \"provider:model\", weight = 2 }"
        )]
        enum Written {
            Name(String),
            Weighted { model: String, weight: f64 },
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Name(model) => Self { model, weight: None },
            Written::Weighted { model, weight } => Self { model, weight: Some(weight) },
        })
    }
}
