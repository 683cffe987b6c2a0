use std::time::{Duration, Instant};

use wordhoard_model::FailureClass::{self, *};
use wordhoard_model::FinishReason;
use wordhoard_testkit::provider::{MisbehavingProvider, NeverAccepting, expected_deltas};

use crate::{LIMITS, ask, provider, provider_at};

/// Each way to fail ends in its class, within its limit, with every token that came before.
#[tokio::test]
async fn every_fault_ends_in_its_class_and_loses_no_token() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = provider(&mock);
    let cases: &[(&str, FailureClass)] = &[
        ("cut-after-7", Cut),
        ("cut-after-0", Cut),
        ("reset-after-7", Cut),
        ("ends-after-7", Cut),
        ("no-finish", Cut),
        ("stall-after-7", StallTimeout),
        ("stall-after-0", FirstTokenTimeout),
        ("bad-json-after-7", Malformed),
        ("error-after-7", StreamError),
        ("huge-line", Malformed),
        ("endless-line", Malformed),
        ("never-answers", FirstTokenTimeout),
        ("half-headers", FirstTokenTimeout),
        ("headers-only", FirstTokenTimeout),
        ("slow-start-2000", FirstTokenTimeout),
        ("reset", Connect),
        ("status-400", BadRequest),
        ("status-401", Unauthorized),
        ("status-403", Unauthorized),
        ("status-404", NotFound),
        ("status-429", RateLimited),
        ("status-500", ProviderError),
        ("status-503", ProviderError),
        ("no-such-model", NotFound),
        ("json-error", RateLimited),
        ("html", Malformed),
        ("redirect", BadRequest),
    ];
    for (model, class) in cases {
        let started = Instant::now();
        let answered = ask(&*provider, model).await;
        let took = started.elapsed();
        let failure = answered.end.expect_err(model);
        assert_eq!(failure.class, *class, "{model}: {failure}");
        assert!(!failure.message.is_empty(), "{model}");
        if !model.starts_with("slow-start") {
            assert_eq!(answered.tokens, expected_deltas(model, crate::PROMPT), "{model}");
        }
        assert!(took < Duration::from_secs(2), "{model} took {took:?}");
        if matches!(class, FirstTokenTimeout) {
            assert!(took >= LIMITS.first_token, "{model} gave up after {took:?}");
        }
        if matches!(class, StallTimeout) {
            assert!(took >= LIMITS.between_bytes, "{model} gave up after {took:?}");
        }
    }
}

/// A filter that stops an answer ends it: what was said so far is the answer.
#[tokio::test]
async fn an_answer_that_a_filter_stopped_is_complete() {
    let mock = MisbehavingProvider::start().unwrap();
    let answered = ask(&*provider(&mock), "filter-after-7").await;
    assert_eq!(answered.tokens, expected_deltas("filter-after-7", crate::PROMPT));
    let reason = answered.end.unwrap().finish_reason.unwrap();
    assert_eq!(reason.0, FinishReason::CONTENT_FILTER);
}

#[tokio::test]
async fn status_and_retry_after_are_told() {
    let mock = MisbehavingProvider::start().unwrap();
    let failure = ask(&*provider(&mock), "status-429-retry-2").await.end.unwrap_err();
    assert_eq!((failure.provider_status, failure.retry_after_ms), (Some(429), Some(2_000)));
    let failure = ask(&*provider(&mock), "status-429").await.end.unwrap_err();
    assert_eq!((failure.provider_status, failure.retry_after_ms), (Some(429), None));
}

#[tokio::test]
async fn the_total_limit_ends_a_stream_that_never_pauses() {
    let mock = MisbehavingProvider::start().unwrap();
    let mut limits = LIMITS;
    limits.total = Duration::from_millis(400);
    let answered = ask(&*provider_at(mock.base_url(), limits), "paced-1000x50").await;
    assert_eq!(answered.end.unwrap_err().class, TotalTimeout);
    assert!((10..=21).contains(&answered.tokens.len()), "{}", answered.tokens.len());
}

#[tokio::test]
async fn who_takes_no_connection_ends_by_the_connect_limit() {
    let wall = NeverAccepting::start().await.unwrap();
    let started = Instant::now();
    let answered = ask(&*provider_at(wall.base_url(), LIMITS), "ok").await;
    assert_eq!(answered.end.unwrap_err().class, ConnectTimeout);
    assert!(started.elapsed() < LIMITS.first_token);
}

#[tokio::test]
async fn a_tls_handshake_that_stands_still_ends_by_the_connect_limit() {
    // Listens, but speaks no TLS: it waits for a line end that a handshake does not send.
    let mock = MisbehavingProvider::start().unwrap();
    let base_url = mock.base_url().replace("http://", "https://");
    let failure = ask(&*provider_at(base_url, LIMITS), "ok").await.end.unwrap_err();
    assert_eq!(failure.class, ConnectTimeout, "{failure}");
}

#[tokio::test]
async fn nobody_there_is_a_failure_to_connect() {
    let gone = MisbehavingProvider::start().unwrap().base_url();
    let failure = ask(&*provider_at(gone, LIMITS), "ok").await.end.unwrap_err();
    assert_eq!(failure.class, Connect);
    assert!(failure.message.contains("refused"), "{failure}");
}
