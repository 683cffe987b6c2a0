use serde::{Deserialize, Serialize};
use wordhoard_model::Usage;

/// `usage` on the wire, in both directions. Every count may be missing or null.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default, skip_deserializing)]
    total_tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's spelling of `cached_tokens`: <https://api-docs.deepseek.com/guides/kv_cache>.
    #[serde(default, skip_serializing)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl UsageBody {
    /// What it counts; none where it counts nothing.
    pub(super) fn to_usage(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens);
        Some(Usage {
            input_tokens: self.prompt_tokens.unwrap_or(0),
            output_tokens: self.completion_tokens.unwrap_or(0),
            reasoning_tokens: self.completion_tokens_details.and_then(|details| details.reasoning_tokens),
            cached_input_tokens: cached.or(self.prompt_cache_hit_tokens),
        })
    }
}

impl From<&Usage> for UsageBody {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: Some(usage.input_tokens),
            completion_tokens: Some(usage.output_tokens),
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            prompt_tokens_details: usage
                .cached_input_tokens
                .map(|cached| PromptDetails { cached_tokens: Some(cached) }),
            completion_tokens_details: usage
                .reasoning_tokens
                .map(|reasoning| CompletionDetails { reasoning_tokens: Some(reasoning) }),
            prompt_cache_hit_tokens: None,
        }
    }
}
