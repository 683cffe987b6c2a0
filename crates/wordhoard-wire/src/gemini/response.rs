//! What an answer and each event of a stream hold, read as far as we know it. Unknown fields are passed over.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wordhoard_model::{ServiceTier, TokenKind, Usage, UsageDetails};

use crate::{Delta, ToolCallPiece, logprobs, tolerant};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response {
    #[serde(default)]
    pub(super) candidates: Option<Vec<Candidate>>,
    #[serde(default)]
    pub(super) prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    pub(super) usage_metadata: Option<UsageBody>,
    #[serde(default)]
    pub(super) model_version: Option<String>,
    #[serde(default)]
    pub(super) response_id: Option<String>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    #[serde(default)]
    pub(super) block_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default)]
    pub(super) index: u64,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
    #[serde(default)]
    grounding_metadata: Option<Value>,
    #[serde(default)]
    citation_metadata: Option<Value>,
    #[serde(default)]
    logprobs_result: Option<LogprobsResult>,
}

/// Of the tokens of an event: <https://ai.google.dev/api/generate-content>, LogprobsResult. Both lists have one entry for each
/// token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogprobsResult {
    #[serde(default)]
    chosen_candidates: Vec<Likely>,
    #[serde(default)]
    top_candidates: Vec<Likeliest>,
}

#[derive(Debug, Deserialize)]
struct Likeliest {
    #[serde(default)]
    candidates: Vec<Likely>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Likely {
    #[serde(default)]
    token: String,
    #[serde(default)]
    log_probability: f64,
}

impl LogprobsResult {
    /// In the shape of the chat dialect's.
    fn content(self) -> Vec<Value> {
        let mut likeliest = self.top_candidates.into_iter();
        let mut one = |chosen: Likely| {
            let others = likeliest.next().map(|likeliest| likeliest.candidates).unwrap_or_default();
            let mut value = chosen.value();
            value["top_logprobs"] = others.iter().map(Likely::value).collect();
            value
        };
        self.chosen_candidates.into_iter().map(&mut one).collect()
    }
}

impl Likely {
    fn value(&self) -> Value {
        json!({"token": self.token, "logprob": self.log_probability, "bytes": self.token.as_bytes()})
    }
}

#[derive(Debug, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    thought_signature: Option<String>,
    #[serde(default)]
    function_call: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    args: Option<Value>,
}

/// What was consumed so far; every event tells it anew. <https://ai.google.dev/api/generate-content#UsageMetadata>
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageBody {
    prompt_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
    total_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prompt_tokens_details: Vec<ModalityCount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_tokens_details: Vec<ModalityCount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates_tokens_details: Vec<ModalityCount>,
    /// Vertex AI's: <https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse>.
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_type: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct ModalityCount {
    modality: String,
    token_count: u64,
}

impl Candidate {
    /// Appends the pieces that it holds; `calls` counts those of tools.
    pub(super) fn into_deltas(self, response_id: Option<&str>, calls: &mut u64, out: &mut Vec<Delta>) {
        for value in self.content.and_then(|content| content.parts).into_iter().flatten() {
            part_deltas(value, response_id, calls, out);
        }
        out.extend(self.logprobs_result.map(LogprobsResult::content).and_then(logprobs::of_content));
        let beside =
            [("groundingMetadata", self.grounding_metadata), ("citationMetadata", self.citation_metadata)];
        for (name, said) in beside {
            if let Some(said) = said.filter(|said| said.as_object().is_some_and(|said| !said.is_empty())) {
                out.push(annotation(&json!({name: said})));
            }
        }
    }
}

fn part_deltas(value: Value, response_id: Option<&str>, calls: &mut u64, out: &mut Vec<Delta>) {
    let part: Part = tolerant::read(&value.to_string()).unwrap_or_default();
    if let Some(call) = part.function_call {
        let piece = ToolCallPiece {
            index: *calls,
            // Google leaves it out mostly, and whoever calls the tool refers to it: so it has to be one of a kind.
            id: call.id.or_else(|| Some(format!("{}-{calls}", response_id.unwrap_or("call")))),
            name: call.name,
            arguments: Some(
                call.args.filter(|args| !args.is_null()).unwrap_or_else(|| json!({})).to_string(),
            ),
        };
        *calls += 1;
        out.extend(piece.to_text().map(|text| Delta::new(TokenKind::ToolCall, text)));
    } else if let Some(text) = part.text {
        let kind = if part.thought { TokenKind::Reasoning } else { TokenKind::Text };
        if !text.is_empty() {
            out.push(Delta::new(kind, text));
        }
    } else if part.thought_signature.is_none() || value.as_object().is_some_and(|part| part.len() > 1) {
        // Code that the provider ran, its results, images.
        out.push(annotation(&value));
        return;
    }
    // A later turn has to give it back: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
    if let Some(signature) = part.thought_signature.filter(|signature| !signature.is_empty()) {
        out.push(annotation(&json!({"thoughtSignature": signature})));
    }
}

fn annotation(said: &Value) -> Delta {
    Delta::new(TokenKind::Annotation, said.to_string())
}

impl UsageBody {
    /// What it counts; none where it counts nothing. Reasoning stands beside the answer's tokens here; of what is told only as
    /// a total, the answer has what is left.
    pub(super) fn to_usage(&self) -> Option<Usage> {
        let counts = [self.prompt_token_count, self.candidates_token_count, self.total_token_count];
        if counts.iter().all(Option::is_none) {
            return None;
        }
        let sum = |parts: [Option<u64>; 2]| parts.into_iter().flatten().fold(0, u64::saturating_add);
        let input_tokens = sum([self.prompt_token_count, self.tool_use_prompt_token_count]);
        let rest = self.total_token_count.map(|total| total.saturating_sub(input_tokens));
        let output = match (self.candidates_token_count, self.thoughts_token_count) {
            (None, None) => rest.unwrap_or(0),
            (answer, thoughts) => sum([answer, thoughts]),
        };
        // Images are charged as text, but in the answer; what came from the cache has its own price.
        let of = |list: &[ModalityCount], modality: &str| {
            let counts = list.iter().filter(|one| one.modality == modality).map(|one| one.token_count);
            counts.reduce(u64::saturating_add)
        };
        let cached_audio = of(&self.cache_tokens_details, "AUDIO").unwrap_or(0);
        let audio = of(&self.prompt_tokens_details, "AUDIO").map(|audio| audio.saturating_sub(cached_audio));
        Some(Usage {
            input_tokens,
            output_tokens: output,
            reasoning_tokens: self.thoughts_token_count,
            cached_input_tokens: self.cached_content_token_count,
            details: UsageDetails {
                audio_input_tokens: audio,
                audio_output_tokens: of(&self.candidates_tokens_details, "AUDIO"),
                image_output_tokens: of(&self.candidates_tokens_details, "IMAGE"),
                service_tier: match self.traffic_type.as_deref() {
                    Some("ON_DEMAND_PRIORITY") => Some(ServiceTier::Priority),
                    Some("ON_DEMAND_FLEX") => Some(ServiceTier::Flex),
                    _ => None,
                },
                ..UsageDetails::default()
            }
            .without_zeros(),
        })
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let reasoning = usage.reasoning_tokens.map(|reasoning| reasoning.min(usage.output_tokens));
        Self {
            prompt_token_count: Some(usage.input_tokens),
            cached_content_token_count: usage.cached_input_tokens,
            candidates_token_count: Some(usage.output_tokens - reasoning.unwrap_or(0)),
            thoughts_token_count: reasoning,
            total_token_count: Some(usage.input_tokens.saturating_add(usage.output_tokens)),
            ..Self::default()
        }
    }
}
