use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::sleep;
use wordhoard_model::FailureClass;
use wordhoard_providers::{AnswerPart, over_http};
use wordhoard_testkit::provider::MisbehavingProvider;

use crate::{LIMITS, ask, call, provider, settings};

#[tokio::test]
async fn nothing_happens_before_the_first_poll() {
    let mock = MisbehavingProvider::start().unwrap();
    let stream = provider(&mock).answer(call("ok"));
    sleep(Duration::from_millis(50)).await;
    drop(stream);
    sleep(Duration::from_millis(50)).await;
    assert!(mock.calls().is_empty());
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let mock = MisbehavingProvider::start().unwrap();
    for model in ["stall-after-3", "never-answers"] {
        let mut stream = provider(&mock).answer(call(model));
        if model == "stall-after-3" {
            assert!(matches!(stream.next().await, Some(Ok(AnswerPart::Pieces(_)))));
        } else {
            assert!(tokio::time::timeout(Duration::from_millis(100), stream.next()).await.is_err());
        }
        drop(stream);
    }
    for _ in 0..100 {
        let calls = mock.calls();
        if calls.len() == 2 && calls.iter().all(|call| call.aborted_by_peer) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the provider still holds a connection: {:?}", mock.calls());
}

#[tokio::test]
async fn a_request_is_sent_once_whatever_happens() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = provider(&mock);
    // The first leaves a connection in the pool, so that the reset hits one that is used again.
    for model in ["ok", "reset", "redirect", "status-503"] {
        ask(&*provider, model).await.end.ok();
    }
    let models: Vec<String> = mock.calls().into_iter().map(|call| call.model).collect();
    assert_eq!(models, ["ok", "reset", "redirect", "status-503"]);
}

#[tokio::test]
async fn a_stream_that_was_polled_to_its_end_leaves_its_connection_for_the_next() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = provider(&mock);
    for model in ["ok", "no-done", "status-429", "json-error", "ok"] {
        ask(&*provider, model).await.end.ok();
    }
    let calls = mock.calls();
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|call| call.peer == calls[0].peer), "{calls:?}");
}

#[tokio::test]
async fn a_slow_reader_is_no_stall_and_holds_the_provider_back() {
    let mock = MisbehavingProvider::start().unwrap();
    let mut stream = provider(&mock).answer(call("tiny-flood"));
    let first = stream.next().await;
    // 100,000 events of about 250 bytes cannot lie in the buffers of two sockets.
    sleep(LIMITS.between_bytes * 2).await;
    assert!(!mock.calls()[0].ended, "the provider could send all though nobody read");
    let parts: Vec<_> = stream::iter(first).chain(stream).collect().await;
    let deltas = parts.iter().map(|part| match part {
        Ok(AnswerPart::Pieces(pieces)) => pieces.deltas.len(),
        _ => 0,
    });
    assert_eq!(deltas.sum::<usize>(), 100_000);
    assert!(matches!(parts.last(), Some(Ok(AnswerPart::Completed(_)))));
}

#[tokio::test]
async fn the_request_carries_what_the_dialect_asks_for() {
    let mock = MisbehavingProvider::start().unwrap();
    ask(&*provider(&mock), "ok").await.end.unwrap();
    let sent = &mock.calls()[0];
    assert_eq!(sent.header("accept"), Some("text/event-stream"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("authorization"), Some("Bearer canary.0123456789abcdef"));
    assert_eq!(sent.body["stream"], true);
    assert_eq!(sent.body["stream_options"]["include_usage"], true);
    assert_eq!(sent.prompt, crate::PROMPT);
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_is_refused_at_connect() {
    let mock = MisbehavingProvider::start().unwrap();
    let port = mock.address().port();
    let Some(name) = name_of_loopback().await else {
        panic!("this machine has no name for itself; the test needs one");
    };
    let mut settings = settings(format!("https://{name}:{port}/v1"), LIMITS);
    settings.allow_private = false;
    let provider = over_http(settings).unwrap();
    let failure = ask(&*provider, "ok").await.end.unwrap_err();
    assert_eq!(failure.class, FailureClass::Connect);
    assert!(failure.message.contains("allow_private"), "{failure}");
    assert!(mock.calls().is_empty());
}

/// A name other than `localhost` that resolves to an address that is not public.
async fn name_of_loopback() -> Option<String> {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    for name in [own.trim(), "ip6-localhost", "localhost.localdomain"] {
        let found = tokio::net::lookup_host((name, 0)).map(|found| found.map(Iterator::count)).await;
        if found.is_ok_and(|count| count > 0) {
            return Some(name.to_owned());
        }
    }
    None
}
