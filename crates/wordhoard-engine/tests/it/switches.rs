//! A disabled provider is not called, on any server, with SQL or without; and what runs goes on.

use std::time::Duration;

use wordhoard_engine::{ProviderState, SwitchError};
use wordhoard_model::{EventBody, FailureClass, Outcome, ProviderName};

use crate::bench::{Bench, Running, read};

fn demo() -> ProviderName {
    ProviderName::new("demo").unwrap()
}

/// How a request ended, and what stands in its first attempt.
async fn end(running: &Running, prompt: &str) -> (Outcome, Option<(FailureClass, String)>) {
    let admitted = running.submit(prompt, &["demo:terse"]).await;
    let events = running.read_to_end(admitted.request_id).await;
    let failure = events.iter().find_map(|event| match &event.body {
        EventBody::AttemptFinished(finished) => finished.failure.clone(),
        _ => None,
    });
    let outcome = events.iter().find_map(|event| match &event.body {
        EventBody::RequestFinished(finished) => Some(finished.outcome),
        _ => None,
    });
    (outcome.unwrap(), failure.map(|failure| (failure.class, failure.message)))
}

fn disabled() -> (Outcome, Option<(FailureClass, String)>) {
    (Outcome::Failed, Some((FailureClass::Unavailable, "the provider is disabled".to_owned())))
}

#[tokio::test]
async fn a_disabled_provider_fails_attempts_until_it_is_enabled_or_reset() {
    let bench = Bench::new();
    let running = bench.start().await;
    let engine = &running.engine;
    let slow = running.submit("goes on [demo tokens=30 rate=60]", &["demo:brisk"]).await;
    let mut slow = running.follow(slow.request_id, None).await;
    assert!(slow.next().await.unwrap().is_some());

    engine.switch_provider(&demo(), false).await.unwrap();
    assert_eq!(engine.provider_states()[&demo()], ProviderState::Disabled);
    assert_eq!(end(&running, "one").await, disabled());
    let rest = read(&mut slow).await.unwrap();
    let outcome = rest.iter().find_map(|event| match &event.body {
        EventBody::RequestFinished(finished) => Some(finished.outcome),
        _ => None,
    });
    assert_eq!(outcome, Some(Outcome::Completed), "what runs goes on");

    engine.switch_provider(&demo(), true).await.unwrap();
    assert_eq!(end(&running, "two").await, (Outcome::Completed, None));
    engine.switch_provider(&demo(), false).await.unwrap();
    engine.reset_provider(&demo()).await.unwrap();
    assert_eq!(engine.provider_states()[&demo()], ProviderState::Closed);
    assert_eq!(end(&running, "three").await, (Outcome::Completed, None));
}

#[tokio::test]
async fn a_switch_outlives_the_server_even_where_the_next_start_has_no_sql() {
    let bench = Bench::new();
    let running = bench.start().await;
    running.engine.switch_provider(&demo(), false).await.unwrap();
    running.engine.close().await;
    bench.open_database(false);
    let running = bench.start().await;
    assert_eq!(running.engine.provider_states()[&demo()], ProviderState::Disabled);
    assert_eq!(end(&running, "without SQL").await, disabled());
    let refused = running.engine.switch_provider(&demo(), true).await.unwrap_err();
    assert!(matches!(refused, SwitchError::Unavailable(_)), "{refused:?}");
    assert_eq!(running.engine.provider_states()[&demo()], ProviderState::Disabled, "nothing is half done");
    running.engine.close().await;
}

#[tokio::test]
async fn what_another_server_was_told_is_heard_within_a_second() {
    let bench = Bench::new();
    let running = bench.start().await;
    let sql = rusqlite::Connection::open(bench.database_file()).unwrap();
    sql.busy_timeout(Duration::from_secs(5)).unwrap();
    sql.execute("INSERT INTO provider_status (provider, enabled, changed_at) VALUES ('demo', 0, 1)", ())
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.engine.provider_states()[&demo()], ProviderState::Disabled);
    sql.execute("DELETE FROM provider_status", ()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.engine.provider_states()[&demo()], ProviderState::Closed);
}

#[tokio::test]
async fn a_probe_asks_even_a_disabled_provider_and_records_nothing() {
    let bench = Bench::new();
    let running = bench.start().await;
    let engine = &running.engine;
    engine.switch_provider(&demo(), false).await.unwrap();
    let before = engine.log_report().durable;
    let well = engine.probe(&demo(), "terse").await.unwrap();
    assert_eq!(well.failure, None);
    let ill = engine.probe(&demo(), "no-such-model").await.unwrap();
    assert!(ill.failure.is_some_and(|failure| failure.contains("no-such-model")));
    assert_eq!(engine.log_report().durable, before);
    let unknown = ProviderName::new("nobody").unwrap();
    assert!(matches!(engine.probe(&unknown, "x").await, Err(SwitchError::Unknown(_))));
    assert!(matches!(engine.switch_provider(&unknown, false).await, Err(SwitchError::Unknown(_))));
    assert!(matches!(engine.reset_provider(&unknown).await, Err(SwitchError::Unknown(_))));
}
