use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;
use wordhoard_model::{Failure, FailureClass, FinishReason, Parameters, Prompt, TokenKind};
use wordhoard_wire::{Completion, Delta};

use super::*;
use crate::{AnswerPart, Call, conversation_of};

fn prompt(text: &str) -> Prompt {
    Prompt::new(text.into(), None, Parameters::default()).unwrap()
}

async fn ask(model: &str, prompt: Prompt) -> (Vec<Delta>, Result<Completion, Failure>) {
    let call = Call::new(model, Arc::new(conversation_of(&prompt).unwrap()));
    let mut stream = crate::demo(TimeLimits::default()).answer(call);
    let (mut deltas, mut end) = (Vec::new(), None);
    while let Some(part) = stream.next().await {
        assert!(end.is_none(), "a part came after the end");
        match part {
            Ok(AnswerPart::Pieces(pieces)) => deltas.extend(pieces.deltas),
            Ok(AnswerPart::Usage(_)) => {}
            Ok(AnswerPart::Completed(completion)) => end = Some(Ok(*completion)),
            Err(broken) => end = Some(Err(broken.failure)),
        }
    }
    (deltas, end.expect("an end"))
}

fn joined(deltas: &[Delta], kind: TokenKind) -> String {
    let of_kind = deltas.iter().filter(|delta| delta.kind == kind);
    of_kind.map(|delta| delta.text.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_model_answers_the_same_prompt_the_same_way_and_speaks_of_it() {
    let question = "Why do lighthouses outlast their keepers?";
    for model in MODELS {
        let (deltas, end) = ask(model.name, prompt(question)).await;
        assert!(!deltas.is_empty(), "{}", model.name);
        let (again, end_again) = ask(model.name, prompt(question)).await;
        assert_eq!((&deltas, &end), (&again, &end_again), "{}", model.name);
        if model.name == "flaky" {
            continue;
        }
        let end = end.unwrap();
        assert_eq!(end.finish_reason, Some(FinishReason("stop".into())));
        assert_eq!(end.usage.unwrap().output_tokens, deltas.len() as u64);
        assert_eq!(end.answered_by.as_deref(), Some(model.name));
        let text = joined(&deltas, TokenKind::Text);
        assert!(["lighthouses", "outlast", "keepers"].iter().any(|word| text.contains(word)), "{text}");
        let reasons = end.usage.unwrap().reasoning_tokens.is_some();
        assert_eq!(reasons, model.name == "thoughtful");
        assert_eq!(reasons, !joined(&deltas, TokenKind::Reasoning).is_empty());
        let (other, _) = ask(model.name, prompt("Why do submarines need captains?")).await;
        assert_ne!(deltas, other);
    }
}

#[tokio::test(start_paused = true)]
async fn a_directive_sets_number_and_pace_of_tokens() {
    let started = Instant::now();
    let (deltas, end) = ask("brisk", prompt("[demo tokens=300 rate=100] waves")).await;
    let took = started.elapsed();
    assert_eq!((deltas.len(), end.is_ok()), (300, true));
    assert!((Duration::from_millis(2_990)..Duration::from_millis(3_100)).contains(&took), "{took:?}");
    assert!(!joined(&deltas, TokenKind::Text).contains("demo"));
    let (deltas, _) = ask("thoughtful", prompt("[demo tokens=40000 rate=0] waves")).await;
    assert_eq!(deltas.len(), 40_000);
    let (deltas, _) = ask("brisk", prompt("[demo tokens=50 bytes=200] waves")).await;
    assert!(deltas.len() == 50 && deltas.iter().all(|delta| delta.text.len() == 200), "{deltas:?}");
}

#[tokio::test(start_paused = true)]
async fn max_tokens_ends_an_answer_by_length() {
    let mut short = prompt("waves and wind");
    short.parameters.max_tokens = Some(3);
    let (deltas, end) = ask("bard", short).await;
    assert_eq!(deltas.len(), 3);
    assert_eq!(end.unwrap().finish_reason, Some(FinishReason("length".into())));
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_flaky_ends_in_its_class() {
    use FailureClass as Class;
    for (mode, expected) in [
        ("rate-limit", Some(Class::RateLimited)),
        ("error-500", Some(Class::ProviderError)),
        ("unauthorized", Some(Class::Unauthorized)),
        ("not-found", Some(Class::NotFound)),
        ("reset", Some(Class::Connect)),
        ("silence", Some(Class::FirstTokenTimeout)),
        ("slow-start", None),
        ("cut", Some(Class::Cut)),
        ("stall", Some(Class::StallTimeout)),
        ("bad-json", Some(Class::Malformed)),
        ("no-done", None),
        ("no-finish", Some(Class::Cut)),
        ("split-utf8", None),
        ("crlf", None),
        ("bom", None),
        ("stream-error", Some(Class::StreamError)),
        ("content-filter", None),
        ("huge-line", Some(Class::Malformed)),
    ] {
        let (deltas, end) = ask("flaky", prompt(&format!("[flaky {mode} after=4] go"))).await;
        assert_eq!(end.as_ref().err().map(|failure| failure.class), expected, "{mode}");
        if matches!(mode, "cut" | "stall" | "bad-json" | "stream-error" | "content-filter" | "huge-line") {
            assert_eq!(deltas.len(), 4, "{mode}");
        }
        if mode == "content-filter" {
            let reason = end.as_ref().unwrap().finish_reason.clone();
            assert_eq!(reason, Some(FinishReason(FinishReason::CONTENT_FILTER.into())));
        }
        if mode == "rate-limit" {
            assert_eq!(end.unwrap_err().retry_after_ms, Some(2_000));
        }
        if mode == "split-utf8" {
            assert!(joined(&deltas, TokenKind::Text).contains("ä, € and 🦀"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_told_which_there_are() {
    let (_, end) = ask("gpt-4o", prompt("hi")).await;
    let failure = end.unwrap_err();
    assert_eq!((failure.class, failure.provider_status), (FailureClass::NotFound, Some(404)));
    assert!(failure.message.contains("brisk"), "{}", failure.message);
}
