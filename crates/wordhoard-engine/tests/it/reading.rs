//! Readers get the same events wherever they are by now: memory, SQL, or the log.

use std::sync::Arc;

use wordhoard_engine::{Database, ReadError, Subscribed};
use wordhoard_model::{RequestStatus, Seq};
use wordhoard_store::ListQuery;

use crate::bench::{Bench, read};

const PROMPT: &str = "read me [demo tokens=700 rate=0]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_place_can_be_resumed_from_memory_from_sql_and_from_the_log() {
    for (window, database) in [(256 << 10, true), (1_000, true), (1_000, false)] {
        let bench = Bench::new();
        let running = bench.start_with(|settings| settings.tail_bytes = window).await;
        bench.open_database(database);
        let id = running.submit(PROMPT, &["demo:brisk", "demo:bard"]).await.request_id;
        let whole = running.read_to_end(id).await;
        for after in [0, 1, 255, 256, 257, 600, whole.len() as u64 - 2] {
            let rest = read(&mut running.follow(id, Some(after)).await).await.unwrap();
            assert_eq!(
                rest,
                whole[after as usize + 1..],
                "after {after}, window {window}, database {database}"
            );
        }
        let end = running.engine.subscribe(id, Some(Seq(whole.len() as u64 - 1))).await.unwrap();
        assert!(matches!(end, Subscribed::PastTheEnd));
        let beyond = running.engine.subscribe(id, Some(Seq(whole.len() as u64))).await.unwrap();
        assert!(matches!(beyond, Subscribed::BeyondTail { .. }), "{beyond:?}");
        let transcript = running.engine.transcript(id).await.unwrap().unwrap();
        assert_eq!(transcript.state.next_seq(), Seq(whole.len() as u64));
        bench.open_database(true);
        running.engine.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_prompts_run_and_everything_is_there_when_it_is_back() {
    let bench = Bench::new();
    let running = bench.start_with(|settings| settings.tail_bytes = 1_000).await;
    bench.open_database(false);
    let mut told = Vec::new();
    for _ in 0..5 {
        let id = running.submit(PROMPT, &["demo:brisk"]).await.request_id;
        told.push((id, running.read_to_end(id).await));
    }
    // It notices with its first transaction.
    while running.engine.status().database == Database::Up {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(running.engine.status().buffer_len >= 3_500, "{:?}", running.engine.status());
    bench.open_database(true);
    while running.engine.status().buffer_len > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(running.engine.status().database, Database::Up);
    running.engine.close().await;
    drop(running);
    let running = bench.start().await;
    for (id, told) in told {
        assert_eq!(running.read_to_end(id).await, told);
    }
    let listed = running.engine.list(ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert!(listed.iter().all(|one| one.status != RequestStatus::Running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_at_any_time_see_one_and_the_same_story() {
    let bench = Bench::new();
    let running = Arc::new(bench.start_with(|settings| settings.tail_bytes = 2_000).await);
    let id =
        running.submit("many [demo tokens=2000 rate=4000]", &["demo:brisk", "demo:bard"]).await.request_id;
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..40_u64 {
        let running = Arc::clone(&running);
        readers.spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(reader * 20)).await;
            match running.engine.subscribe(id, None).await.unwrap() {
                Subscribed::Following(mut subscription) => read(&mut subscription).await.unwrap(),
                other => panic!("{other:?}"),
            }
        });
    }
    let stories = readers.join_all().await;
    assert_eq!(stories[0].len(), 4_006);
    assert!(stories.iter().all(|story| story == &stories[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_cannot_be_read_is_an_error_and_not_an_unknown_request() {
    let bench = Bench::new();
    let running = bench.start().await;
    let id = running.submit("hello", &["demo:terse"]).await.request_id;
    running.read_to_end(id).await;
    running.engine.close().await;
    drop(running);
    let running = bench.start().await;
    bench.open_database(false);
    let unreadable = running.engine.subscribe(id, None).await.unwrap_err();
    assert!(matches!(unreadable, ReadError::Unavailable(_)), "{unreadable}");
}
