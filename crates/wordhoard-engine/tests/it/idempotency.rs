//! One key, one request.

use std::collections::HashSet;
use std::sync::Arc;

use wordhoard_engine::AdmitError;

use crate::bench::{Bench, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_under_one_key_makes_one_request() {
    let bench = Bench::new();
    let running = Arc::new(bench.start().await);
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let running = Arc::clone(&running);
        racers.spawn(
            async move { running.engine.admit(request("race", &["demo:terse"], Some(("k", 1)))).await },
        );
    }
    let (mut ids, mut first) = (HashSet::new(), 0);
    for admitted in racers.join_all().await {
        match admitted {
            Ok(admitted) => {
                first += usize::from(!admitted.replayed);
                ids.insert(admitted.request_id);
            }
            Err(AdmitError::KeyInFlight) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((ids.len(), first), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_while_it_runs_once_it_is_in_sql_and_after_a_restart() {
    let bench = Bench::new();
    let running = bench.start().await;
    let first = running.engine.admit(request("x", &["demo:terse"], Some(("k", 1)))).await.unwrap();
    let check = async |running: &crate::bench::Running| {
        let again = running.engine.admit(request("x", &["demo:bard"], Some(("k", 1)))).await.unwrap();
        assert_eq!((again.request_id, again.replayed), (first.request_id, true));
        assert_eq!(again.lanes, first.lanes, "the first answer, whatever would be selected today");
        let other = running.engine.admit(request("y", &["demo:terse"], Some(("k", 2)))).await.unwrap_err();
        assert!(matches!(other, AdmitError::KeyReused), "{other}");
    };
    check(&running).await;
    running.read_to_end(first.request_id).await;
    while running.engine.status().buffer_len > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    check(&running).await;
    running.engine.close().await;
    drop(running);
    check(&bench.start().await).await;
}
