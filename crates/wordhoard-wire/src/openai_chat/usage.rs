use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wordhoard_model::{ServiceTier, Usage, UsageDetails};

/// `usage` on the wire, in both directions. Every count may be missing or null.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct UsageBody {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's spelling of `cached_tokens`: <https://api-docs.deepseek.com/guides/kv_cache>.
    #[serde(default, skip_serializing)]
    prompt_cache_hit_tokens: Option<u64>,
    /// Anthropic's spellings, which gateways in front of it pass on.
    #[serde(default, skip_serializing)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, skip_serializing)]
    cache_creation_input_tokens: Option<u64>,
}

/// <https://platform.openai.com/docs/api-reference/chat/object>, usage; `cache_write_tokens` is OpenRouter's:
/// <https://openrouter.ai/docs/guides/administration/usage-accounting>.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
}

impl UsageBody {
    /// What it counts; none where it counts nothing. Of what is told only as a total, the prompt has what the answer has not.
    pub(super) fn to_usage(self, service_tier: Option<ServiceTier>) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() && self.total_tokens.is_none() {
            return None;
        }
        let (prompt, completion) = (
            self.prompt_tokens_details.unwrap_or_default(),
            self.completion_tokens_details.unwrap_or_default(),
        );
        let rest_of_total =
            |known: Option<u64>| self.total_tokens.map(|total| total.saturating_sub(known.unwrap_or(0)));
        let input = self.prompt_tokens.or_else(|| rest_of_total(self.completion_tokens));
        let output = self.completion_tokens.or_else(|| rest_of_total(input)).map(|output| {
            // xAI counts reasoning beside the completion: <https://docs.x.ai/docs/guides/reasoning>.
            let reasoning = completion.reasoning_tokens.unwrap_or(0);
            let sum = input.unwrap_or(0).saturating_add(output).saturating_add(reasoning);
            if self.total_tokens == Some(sum) { output.saturating_add(reasoning) } else { output }
        });
        Some(Usage {
            input_tokens: input.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            reasoning_tokens: completion.reasoning_tokens,
            cached_input_tokens: prompt
                .cached_tokens
                .or(self.prompt_cache_hit_tokens)
                .or(self.cache_read_input_tokens),
            details: UsageDetails {
                cache_write_tokens: prompt.cache_write_tokens.or(self.cache_creation_input_tokens),
                audio_input_tokens: prompt.audio_tokens,
                audio_output_tokens: completion.audio_tokens,
                image_input_tokens: prompt.image_tokens,
                image_output_tokens: completion.image_tokens,
                service_tier,
                ..UsageDetails::default()
            }
            .without_zeros(),
        })
    }
}

impl From<&Usage> for UsageBody {
    fn from(usage: &Usage) -> Self {
        let details = &usage.details;
        let prompt = PromptDetails {
            cached_tokens: usage.cached_input_tokens,
            cache_write_tokens: details.cache_write_tokens,
            audio_tokens: details.audio_input_tokens,
            image_tokens: details.image_input_tokens,
        };
        let completion = CompletionDetails {
            reasoning_tokens: usage.reasoning_tokens,
            audio_tokens: details.audio_output_tokens,
            image_tokens: details.image_output_tokens,
        };
        let is_told = |counts: &[Option<u64>]| counts.iter().any(Option::is_some);
        let has_prompt = is_told(&[
            prompt.cached_tokens,
            prompt.cache_write_tokens,
            prompt.audio_tokens,
            prompt.image_tokens,
        ]);
        let has_completion =
            is_told(&[completion.reasoning_tokens, completion.audio_tokens, completion.image_tokens]);
        Self {
            prompt_tokens: Some(usage.input_tokens),
            completion_tokens: Some(usage.output_tokens),
            total_tokens: Some(usage.input_tokens.saturating_add(usage.output_tokens)),
            prompt_tokens_details: has_prompt.then_some(prompt),
            completion_tokens_details: has_completion.then_some(completion),
            ..Self::default()
        }
    }
}

/// Puts the usage into the body of an answer or chunk, and the tier.
pub(super) fn put(body: &mut Value, usage: &Usage) {
    body["usage"] = json!(UsageBody::from(usage));
    if let Some(tier) = own_tier(usage) {
        body["service_tier"] = tier.into();
    }
}

/// The tier in which the answer came, where it is none that goes without saying.
/// <https://platform.openai.com/docs/api-reference/chat/object>, service_tier: there is none of batches.
pub(crate) fn own_tier(usage: &Usage) -> Option<&'static str> {
    let tier = usage.details.service_tier?;
    matches!(tier, ServiceTier::Flex | ServiceTier::Priority).then(|| tier.as_str())
}
