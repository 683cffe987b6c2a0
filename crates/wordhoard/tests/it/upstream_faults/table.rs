use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use wordhoard_testkit::client::{Client, SeenEvent};
use wordhoard_testkit::provider::{MisbehavingProvider, NeverAccepting, expected_deltas};
use wordhoard_testkit::server::ServerHome;

use super::{
    BETWEEN_TOKENS_MS, CONNECT_MS, FIRST_TOKEN_MS, TOTAL_MS, millis_between, only, provider_table,
    stored_tokens, tokens,
};
use crate::{EXE, ONE_CALL};

const PROMPT: &str = "why do lighthouses flicker äöü 🦀";
/// What the machine may add to a time limit when it is busy.
const GRACE_MS: i64 = 4_000;

/// A model, the class in which it fails (none where it completes), and the limit by which it ends, if one.
type Case = (&'static str, Option<&'static str>, Option<u64>);

const fn fails(model: &'static str, class: &'static str) -> Case {
    (model, Some(class), None)
}

const fn runs_out(model: &'static str, class: &'static str, limit_ms: u64) -> Case {
    (model, Some(class), Some(limit_ms))
}

const fn completes(model: &'static str) -> Case {
    (model, None, None)
}

const CASES: &[Case] = &[
    fails("mock:cut-after-7", "cut"),
    fails("mock:cut-after-0", "cut"),
    fails("mock:reset-after-7", "cut"),
    fails("mock:ends-after-7", "cut"),
    fails("mock:ends-after-0", "cut"),
    fails("mock:no-finish", "cut"),
    runs_out("mock:stall-after-7", "stall_timeout", BETWEEN_TOKENS_MS),
    runs_out("mock:comments-after-7", "total_timeout", TOTAL_MS),
    runs_out("mock:stall-after-0", "first_token_timeout", FIRST_TOKEN_MS),
    runs_out("mock:comments-after-0", "total_timeout", TOTAL_MS),
    runs_out("mock:never-answers", "first_token_timeout", FIRST_TOKEN_MS),
    runs_out("mock:half-headers", "first_token_timeout", FIRST_TOKEN_MS),
    runs_out("mock:headers-only", "first_token_timeout", FIRST_TOKEN_MS),
    runs_out("mock:endless-comments", "total_timeout", TOTAL_MS),
    runs_out("mock:slow-start-60000", "first_token_timeout", FIRST_TOKEN_MS),
    runs_out("wall:ok", "connect_timeout", CONNECT_MS),
    fails("gone:ok", "connect"),
    fails("mock:reset", "connect"),
    fails("mock:bad-json-after-7", "malformed"),
    fails("mock:error-after-7", "stream_error"),
    completes("mock:filter-after-7"),
    fails("mock:huge-line", "malformed"),
    fails("mock:endless-line", "malformed"),
    fails("mock:status-400", "bad_request"),
    fails("mock:status-401", "unauthorized"),
    fails("mock:status-403", "unauthorized"),
    fails("mock:status-404", "not_found"),
    fails("mock:no-such-model", "not_found"),
    fails("mock:status-429", "rate_limited"),
    fails("mock:status-429-retry-2", "rate_limited"),
    fails("mock:status-500", "provider_error"),
    fails("mock:status-503", "provider_error"),
    fails("mock:json-error", "rate_limited"),
    fails("mock:html", "malformed"),
    fails("mock:redirect", "bad_request"),
    completes("mock:ok"),
    completes("mock:ok-0"),
    completes("mock:no-done"),
    completes("mock:no-last-blank"),
    completes("mock:hang-after-finish"),
    completes("mock:split-utf8"),
    completes("mock:crlf"),
    completes("mock:bom"),
    completes("mock:nul-token"),
    completes("mock:tools"),
    completes("mock:reasoning"),
    completes("mock:slow-start-300"),
];

#[tokio::test]
async fn every_fault_ends_in_its_class_in_time_and_loses_no_token() {
    let mock = MisbehavingProvider::start().unwrap();
    let wall = NeverAccepting::start().await.unwrap();
    let gone = MisbehavingProvider::start().unwrap().base_url();
    let config = [("mock", mock.base_url()), ("wall", wall.base_url()), ("gone", gone)]
        .map(|(name, base_url)| provider_table(name, &base_url))
        .concat();
    let home = ServerHome::new(EXE, &(config + ONE_CALL)).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let asked = join_all(CASES.iter().map(async |case| {
        let id = client.submit(PROMPT, &[case.0]).await.unwrap();
        let events = client.read_to_end(&id, None).await.unwrap();
        (case, id, events)
    }))
    .await;
    for (case, _, events) in &asked {
        assert_case(case, events);
    }
    assert_connections_are_closed(&mock).await;
    assert_well(&client).await;
    for (case, id, events) in &asked {
        let whole = client.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
        let request_end = only(events, "request.finished");
        assert_eq!(whole["status"], request_end["status"], "{case:?}");
        assert_eq!(stored_tokens(&home.data_dir(), id), tokens(events), "{case:?}");
    }
    // A key that is not accepted is an operator's alarm; nothing else here is.
    let is_alarm = |line: &&Value| line["target"] == "wordhoard_providers::key_ring";
    let log = server.log().unwrap();
    assert!(log.iter().any(|line| is_alarm(&line)));
    for line in log.iter().filter(|line| !is_alarm(line)) {
        assert_ne!(line["level"], "ERROR", "{line}");
    }
    // And once more from SQL alone.
    server.kill_9().unwrap();
    let client = home.start().unwrap();
    for (case, id, events) in &asked {
        assert_eq!(&client.client().read_to_end(id, None).await.unwrap(), events, "{case:?}");
    }
}

fn assert_case(case: &Case, events: &[SeenEvent]) {
    let (name, class, limit_ms) = case;
    let (provider, model) = name.split_once(':').unwrap();
    let expected = if provider == "mock" && !model.starts_with("slow-start-6") {
        expected_deltas(model, PROMPT)
    } else {
        Vec::new()
    };
    let expected: Vec<_> =
        expected.into_iter().map(|(kind, text)| (kind.as_str().to_owned(), text)).collect();
    assert_eq!(tokens(events), expected, "{name}");
    let end = only(events, "attempt.finished");
    let request_end = only(events, "request.finished");
    assert_eq!(events[events.len() - 1].data, *request_end, "{name}");
    assert_eq!(end["token_count"], expected.len(), "{name}");
    let took_ms = millis_between(only(events, "attempt.started"), end);
    match class {
        None => {
            assert_eq!(
                (&end["status"], &request_end["status"]),
                (&"completed".into(), &"completed".into()),
                "{end}"
            );
            assert!(end.get("error").is_none(), "{end}");
            let reason = match model {
                "tools" => "tool_calls",
                "filter-after-7" => "content_filter",
                _ => "stop",
            };
            assert_eq!(end["finish_reason"], reason, "{name}");
        }
        Some(class) => {
            assert_eq!(
                (&end["status"], &request_end["status"]),
                (&"failed".into(), &"failed".into()),
                "{end}"
            );
            assert_eq!(end["error"]["class"], *class, "{name}: {end}");
            assert!(end["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {end}");
        }
    }
    let shortest = limit_ms.map_or(0, |limit| limit as i64);
    let longest = shortest.max(BETWEEN_TOKENS_MS as i64) + GRACE_MS;
    // Events are timed by another clock than limits; the two may drift apart a little.
    assert!((shortest - 20..longest).contains(&took_ms), "{name} took {took_ms} ms");
    let status = model.strip_prefix("status-").and_then(|rest| rest[..3].parse::<u64>().ok());
    if let Some(status) = status {
        assert_eq!(end["error"]["provider_status"], status, "{name}");
        let retry = model.ends_with("-retry-2").then_some(2_000);
        assert_eq!(end["error"]["retry_after_ms"].as_u64(), retry, "{name}");
    }
}

/// Nothing holds a provider's connection once its attempt has ended.
async fn assert_connections_are_closed(mock: &MisbehavingProvider) {
    for _ in 0..500 {
        if mock.calls().iter().all(|call| call.ended) {
            let calls = mock.calls();
            let expected = CASES.iter().filter(|case| case.0.starts_with("mock:")).count();
            assert_eq!(calls.len(), expected, "a call was made twice or not at all");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let open: Vec<_> = mock.calls().into_iter().filter(|call| !call.ended).map(|call| call.model).collect();
    panic!("still open: {open:?}");
}

/// The server is healthy, all is in SQL, and it works.
async fn assert_well(client: &Client) {
    let id = client.submit(PROMPT, &["mock:ok"]).await.unwrap();
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    for _ in 0..500 {
        let health = client.get("/api/health").await.unwrap().body;
        assert_eq!(health["status"], "healthy", "{health}");
        if health["buffer_len"] == 0 && health["running_requests"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server does not come to rest");
}

/// A lane that fails takes no other with it, and a request with one is not called complete.
#[tokio::test]
async fn lanes_fail_each_for_itself() {
    let mock = MisbehavingProvider::start().unwrap();
    let home = ServerHome::new(EXE, &(provider_table("mock", &mock.base_url()) + ONE_CALL)).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let models = ["mock:cut-after-3", "mock:ok-9", "mock:status-500", "mock:never-answers", "demo:terse"];
    let id = client.submit("mixed [demo tokens=4 rate=0]", &models).await.unwrap();
    let whole = client.wait_for_end(&id).await.unwrap();
    let lanes = whole["lanes"].as_array().unwrap().iter();
    let lanes: Vec<_> = lanes
        .map(|lane| (lane["status"].as_str().unwrap(), lane["attempts"][0]["token_count"].as_u64().unwrap()))
        .collect();
    assert_eq!(lanes, [("failed", 3), ("completed", 9), ("failed", 0), ("failed", 0), ("completed", 4)]);
    assert_eq!(whole["status"], "failed");
    let events = client.read_to_end(&id, None).await.unwrap();
    let end = only(&events, "request.finished");
    assert_eq!((&end["lanes_completed"], &end["token_count"]), (&2.into(), &16.into()));
}
