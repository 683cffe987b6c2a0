//! Usages in the shapes in which providers tell them, and what their vendors charge for each: tokens times the rate on the
//! vendor's page, to a thousandth of a cent.

use serde_json::{Value, json};
use wordhoard_providers::{Dialect, known_price};

/// An answer of the dialect with that usage.
fn answer(dialect: Dialect, usage: &Value) -> Value {
    let mut answer = match dialect {
        Dialect::OpenAiChat => json!({
            "model": "m", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}], "usage": usage,
        }),
        Dialect::OpenAiResponses => {
            json!({"object": "response", "status": "completed", "output": [], "usage": usage})
        }
        Dialect::Anthropic => json!({
            "type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": usage,
        }),
        Dialect::Gemini => json!({
            "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}], "usageMetadata": usage,
        }),
        Dialect::Cohere => json!({
            "message": {"content": [{"type": "text", "text": "a"}]}, "finish_reason": "COMPLETE", "usage": usage,
        }),
    };
    if let Some(tier) = usage.get("service_tier").filter(|_| dialect != Dialect::Anthropic) {
        answer["service_tier"] = tier.clone();
    }
    answer
}

/// The model, its usage, and what the vendor charges: so many tokens at so many dollars a million.
type Case = (Dialect, &'static str, Value, Vec<(u64, f64)>);

/// <https://platform.openai.com/docs/pricing>: cached input is part of the prompt, reasoning part of the completion.
fn openai() -> Vec<Case> {
    use Dialect::{OpenAiChat as Chat, OpenAiResponses as Responses};
    vec![
        (
            Chat,
            "gpt-4o",
            json!({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}),
            vec![(1000, 2.5), (100, 10.0)],
        ),
        (
            Chat,
            "gpt-4o-2024-08-06",
            json!({"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306, "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                   "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}),
            vec![(86, 2.5), (1920, 1.25), (300, 10.0)],
        ),
        (
            Chat,
            "gpt-4o-mini",
            json!({"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}),
            vec![(9, 0.15), (12, 0.6)],
        ),
        (
            Chat,
            "gpt-4.1",
            json!({"prompt_tokens": 5000, "completion_tokens": 700, "prompt_tokens_details": null}),
            vec![(5000, 2.0), (700, 8.0)],
        ),
        (
            Chat,
            "gpt-4.1-mini",
            json!({"prompt_tokens": "5000", "completion_tokens": 700.0}),
            vec![(5000, 0.4), (700, 1.6)],
        ),
        (
            Chat,
            "gpt-4.1-nano",
            json!({"prompt_tokens": 5000, "total_tokens": 5700}),
            vec![(5000, 0.1), (700, 0.4)],
        ),
        (
            Chat,
            "o3-pro",
            json!({"prompt_tokens": 1000, "completion_tokens": 2000}),
            vec![(1000, 20.0), (2000, 80.0)],
        ),
        (
            Chat,
            "o3",
            json!({"prompt_tokens": 1000, "completion_tokens": 2000, "completion_tokens_details": {"reasoning_tokens": 1500}}),
            vec![(1000, 2.0), (2000, 8.0)],
        ),
        (
            Chat,
            "gpt-5-mini",
            json!({"prompt_tokens": 1000, "completion_tokens": 500, "prompt_tokens_details": {"cached_tokens": 1000}}),
            vec![(1000, 0.025), (500, 2.0)],
        ),
        (
            Responses,
            "gpt-5",
            json!({"input_tokens": 4000, "input_tokens_details": {"cached_tokens": 1024}, "output_tokens": 900, "output_tokens_details": {"reasoning_tokens": 640}, "total_tokens": 4900}),
            vec![(2976, 1.25), (1024, 0.125), (900, 10.0)],
        ),
        (
            Responses,
            "gpt-5-nano",
            json!({"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}),
            vec![(100, 0.05), (10, 0.4)],
        ),
        (
            Responses,
            "o4-mini",
            json!({"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}),
            vec![(100, 1.1), (10, 4.4)],
        ),
        (Responses, "o3", json!({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}), vec![]),
    ]
}

/// <https://platform.claude.com/docs/en/about-claude/pricing>: `input_tokens` leaves out what the cache gave or took; writes cost 1.25
/// times the input for five minutes, twice for an hour, reads a tenth.
fn anthropic() -> Vec<Case> {
    use Dialect::Anthropic;
    vec![
        (
            Anthropic,
            "claude-haiku-4-5",
            json!({"input_tokens": 25, "output_tokens": 15}),
            vec![(25, 1.0), (15, 5.0)],
        ),
        (
            Anthropic,
            "claude-haiku-4-5-20251001",
            json!({"input_tokens": 0, "cache_creation_input_tokens": 1_000_000, "cache_read_input_tokens": 0, "output_tokens": 0,
                   "cache_creation": {"ephemeral_5m_input_tokens": 1_000_000, "ephemeral_1h_input_tokens": 0}}),
            vec![(1_000_000, 1.25)],
        ),
        (
            Anthropic,
            "claude-sonnet-4-5-20250929",
            json!({"input_tokens": 50, "cache_creation_input_tokens": 248, "cache_read_input_tokens": 100_000, "output_tokens": 503, "service_tier": "standard",
                   "cache_creation": {"ephemeral_5m_input_tokens": 48, "ephemeral_1h_input_tokens": 200}}),
            vec![(50, 3.0), (48, 3.75), (200, 6.0), (100_000, 0.3), (503, 15.0)],
        ),
        (
            Anthropic,
            "claude-opus-4-5",
            json!({"input_tokens": 1000, "cache_creation_input_tokens": null, "cache_read_input_tokens": null, "output_tokens": 1000}),
            vec![(1000, 5.0), (1000, 25.0)],
        ),
        (
            Anthropic,
            "claude-opus-4-1-20250805",
            json!({"input_tokens": 1000, "output_tokens": 1000}),
            vec![(1000, 15.0), (1000, 75.0)],
        ),
        (
            Anthropic,
            "claude-sonnet-4-20250514",
            json!({"input_tokens": 1000, "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1000}),
            vec![(1000, 3.0), (10, 3.75), (1000, 15.0)],
        ),
        (
            Anthropic,
            "claude-haiku-4-5",
            json!({"input_tokens": 1000, "output_tokens": 1000, "service_tier": "batch"}),
            vec![(1000, 0.5), (1000, 2.5)],
        ),
        (
            Anthropic,
            "claude-3-5-haiku-20241022",
            json!({"input_tokens": 1000, "output_tokens": 1000}),
            vec![(1000, 0.8), (1000, 4.0)],
        ),
    ]
}

/// <https://ai.google.dev/gemini-api/docs/pricing>: thoughts are output and stand beside the candidates; over 200,000 tokens of input
/// the dearer rates hold for all of it.
fn gemini() -> Vec<Case> {
    use Dialect::Gemini;
    vec![
        (
            Gemini,
            "gemini-2.5-flash",
            json!({"promptTokenCount": 8, "candidatesTokenCount": 20, "totalTokenCount": 28}),
            vec![(8, 0.3), (20, 2.5)],
        ),
        (
            Gemini,
            "gemini-2.5-flash",
            json!({"promptTokenCount": 1000, "candidatesTokenCount": 100, "thoughtsTokenCount": 400, "totalTokenCount": 1500}),
            vec![(1000, 0.3), (500, 2.5)],
        ),
        (
            Gemini,
            "gemini-2.5-flash",
            json!({"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100,
                   "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 200}, {"modality": "AUDIO", "tokenCount": 800}]}),
            vec![(200, 0.3), (800, 1.0), (100, 2.5)],
        ),
        (
            Gemini,
            "gemini-2.5-flash",
            json!({"promptTokenCount": 5000, "cachedContentTokenCount": 4000, "candidatesTokenCount": 100}),
            vec![(1000, 0.3), (4000, 0.03), (100, 2.5)],
        ),
        (
            Gemini,
            "gemini-2.5-pro",
            json!({"promptTokenCount": 200_000, "candidatesTokenCount": 1000}),
            vec![(200_000, 1.25), (1000, 10.0)],
        ),
        (
            Gemini,
            "gemini-2.5-pro",
            json!({"promptTokenCount": 200_001, "candidatesTokenCount": 1000}),
            vec![(200_001, 2.5), (1000, 15.0)],
        ),
        (
            Gemini,
            "gemini-2.5-flash-lite",
            json!({"promptTokenCount": 1000, "toolUsePromptTokenCount": 500, "candidatesTokenCount": 100}),
            vec![(1500, 0.1), (100, 0.4)],
        ),
        (
            Gemini,
            "gemini-2.5-flash-lite",
            json!({"promptTokenCount": 1000, "totalTokenCount": 1200}),
            vec![(1000, 0.1), (200, 0.4)],
        ),
    ]
}

/// <https://api-docs.deepseek.com/quick_start/pricing>, <https://docs.cohere.com/docs/how-does-cohere-pricing-work>: what is billed,
/// not what the model saw.
fn others() -> Vec<Case> {
    use Dialect::{Cohere, OpenAiChat};
    vec![
        (
            Cohere,
            "command-r-08-2024",
            json!({"billed_units": {"input_tokens": 10.0, "output_tokens": 20.0}, "tokens": {"input_tokens": 80, "output_tokens": 20}}),
            vec![(10, 0.15), (20, 0.6)],
        ),
        (
            Cohere,
            "command-a-03-2025",
            json!({"tokens": {"input_tokens": 80, "output_tokens": 20}}),
            vec![(80, 2.5), (20, 10.0)],
        ),
        (
            OpenAiChat,
            "openai/gpt-4o",
            json!({"prompt_tokens": 1000, "completion_tokens": 10, "cost": 0.0026, "prompt_tokens_details": {"cached_tokens": 0}}),
            vec![(1000, 2.5), (10, 10.0)],
        ),
    ]
}

#[test]
fn every_usage_costs_what_its_vendor_charges() {
    let cases: Vec<Case> = [openai(), anthropic(), gemini(), others()].concat();
    assert!(cases.len() >= 30, "{} usages", cases.len());
    for (dialect, model, usage, charged) in cases {
        let body = answer(dialect, &usage).to_string();
        let usage_read = dialect.decode_answer(body.as_bytes(), &mut Vec::new()).unwrap().usage;
        let usage_read = usage_read.unwrap_or_else(|| panic!("{model}: no usage in {usage}"));
        let price = known_price(model).unwrap_or_else(|| panic!("{model} has no price"));
        let due: f64 = charged.iter().map(|(tokens, rate)| *tokens as f64 * rate / 1e6).sum();
        let cost = price.cost_of(&usage_read).usd();
        assert!(
            (cost - due).abs() < 1e-5 / 2.0,
            "{model}: {cost} USD instead of {due} for {usage} ({usage_read:?})"
        );
    }
}

/// A model that no table has costs nothing that anybody knows, whatever its name begins with.
#[test]
fn a_price_is_never_guessed() {
    for model in ["gpt-4o-enterprise", "claude-haiku-4-5-turbo", "o3-pro-max", "gpt-4o-2024-13"] {
        assert_eq!(known_price(model), None, "{model}");
    }
}
