use wordhoard_model::FinishReason;
use wordhoard_testkit::provider::{MisbehavingProvider, expected_deltas};

use crate::{PROMPT, ask, provider};

/// What the dialect allows, and what servers do without harm, is a whole answer, token for token.
#[tokio::test]
async fn every_harmless_oddity_completes_with_the_exact_tokens() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = provider(&mock);
    for model in [
        "ok",
        "ok-0",
        "ok-1",
        "ok-500",
        "rate-200",
        "slow-start-100",
        "no-done",
        "no-last-blank",
        "split-utf8",
        "crlf",
        "bom",
        "nul-token",
        "tools",
        "reasoning",
        "hang-after-finish",
    ] {
        let answered = ask(&*provider, model).await;
        let completion = answered.end.expect(model);
        assert_eq!(answered.tokens, expected_deltas(model, PROMPT), "{model}");
        let reason = if model == "tools" { "tool_calls" } else { FinishReason::STOP };
        assert_eq!(completion.finish_reason, Some(FinishReason(reason.into())), "{model}");
        assert_eq!(completion.answered_by.as_deref(), Some(model));
        if model != "hang-after-finish" {
            let usage = completion.usage.expect(model);
            assert_eq!(usage.output_tokens, answered.tokens.len() as u64, "{model}");
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_tiny_tokens_come_whole_and_in_order() {
    let mock = MisbehavingProvider::start().unwrap();
    let answered = ask(&*provider(&mock), "tiny-flood").await;
    assert!(answered.end.is_ok(), "{:?}", answered.end);
    assert!(answered.tokens == expected_deltas("tiny-flood", PROMPT));
}
