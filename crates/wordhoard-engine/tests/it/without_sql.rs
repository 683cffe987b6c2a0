//! The engine while SQL is away: from the start, for long, or for one row.

use std::sync::Arc;
use std::time::Duration;

use wordhoard_engine::{BootStepState, Database};
use wordhoard_model::{AttemptSeq, Event, EventBody, Outcome, RequestId, RequestState, RequestStatus, Seq};

use crate::bench::{Bench, Running, read, request};

async fn until(what: &str, running: &Running, reached: impl Fn(&Running) -> bool) {
    for _ in 0..1_000 {
        if reached(running) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: {:?}", running.engine.status());
}

/// The first events of a request, at least so many.
async fn see(running: &Running, id: RequestId, count: usize) -> Vec<Arc<Event>> {
    let mut reader = running.follow(id, None).await;
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.extend(reader.next().await.unwrap().unwrap());
    }
    seen
}

/// All events of a request that ran here, and that they are a whole story.
async fn finished(running: &Running, id: RequestId) -> RequestState {
    let events = running.read_to_end(id).await;
    RequestState::replay(events.iter().map(|event| &**event)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_sql_goes_on_from_the_log_and_the_rest_follows_with_sql() {
    let bench = Bench::new();
    let running = bench.start().await;
    // One request whose beginning is in SQL, one that only the log knows; both are cut by a crash.
    let known = running.submit("slow [demo tokens=900 rate=100]", &["demo:brisk"]).await.request_id;
    see(&running, known, 20).await;
    for _ in 0..3 {
        let much = running.submit("much [demo tokens=100000 rate=0]", &["demo:brisk"]).await.request_id;
        finished(&running, much).await;
    }
    let first_segment = "00000000000000000000.wal";
    until("released", &running, |_| bench.disk.contents(first_segment).is_none()).await;
    bench.open_database(false);
    let unknown = running.submit("slow [demo tokens=300 rate=100]", &["demo:brisk"]).await.request_id;
    let seen = see(&running, unknown, 30).await;
    bench.crash(running).await;

    let running = bench.start().await;
    let steps = running.engine.boot().steps();
    assert!(
        steps.iter().any(|step| step.name == "database" && matches!(step.state, BootStepState::Deferred(_))),
        "{steps:?}"
    );
    assert!(running.engine.status().accepting);
    let fresh = running.submit("hello", &["demo:terse"]).await.request_id;
    finished(&running, fresh).await;
    // What only the log knows went on at once, and what was seen before is there, from the log.
    let events = running.read_to_end(unknown).await;
    assert_eq!(events[..seen.len()], seen);
    let state = RequestState::replay(events.iter().map(|event| &**event)).unwrap();
    assert_eq!(state.attempts().len(), 2);
    assert_eq!(
        state.attempt(AttemptSeq(1)).unwrap().finished.as_ref().unwrap().1.outcome,
        Outcome::Interrupted
    );
    // What SQL knows cannot be told to be unknown.
    assert!(running.engine.subscribe(known, None).await.is_err());

    bench.open_database(true);
    until("recovered", &running, |running| running.engine.status().database == Database::Up).await;
    until("applied", &running, |running| running.engine.status().buffer_len == 0).await;
    let mut state = None;
    for _ in 0..1_000 {
        if let Ok(Some(transcript)) = running.engine.transcript(known).await
            && transcript.state.finished().is_some()
        {
            state = Some(transcript.state);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let state = state.expect("the request that SQL knew goes on");
    assert_eq!(state.status(), RequestStatus::Finished(Outcome::Completed));
    assert_eq!(state.attempts().len(), 2, "{state:?}");
    running.engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_leaves_old_requests_readable_from_the_log_and_survives_a_crash_in_it() {
    let bench = Bench::new();
    let running = bench.start().await;
    bench.open_database(false);
    let mut ids = Vec::new();
    for number in 0..1_500 {
        let prompt = format!("number {number} [demo tokens=3 rate=0]");
        ids.push(running.submit(&prompt, &["demo:brisk"]).await.request_id);
    }
    until("all ended", &running, |running| running.engine.status().running_requests == 0).await;
    let mut told = Vec::new();
    for id in ids.iter().step_by(100) {
        told.push((*id, running.read_to_end(*id).await));
        let half = read(&mut running.follow(*id, Some(2)).await).await.unwrap();
        assert_eq!(half, told.last().unwrap().1[3..]);
    }
    let keyed = || request("once [demo tokens=3 rate=0]", &["demo:brisk"], Some(("k", 1)));
    bench.open_database(true);
    let once = running.engine.admit(keyed()).await.unwrap();
    bench.open_database(false);
    finished(&running, once.request_id).await;
    bench.crash(running).await;

    let running = bench.start().await;
    assert_eq!(running.engine.status().running_requests, 0);
    // Its key may be in the log only.
    let again = running.engine.admit(keyed()).await.unwrap();
    assert_eq!((again.request_id, again.replayed), (once.request_id, true));
    for (id, events) in &told {
        assert_eq!(&running.read_to_end(*id).await, events);
    }
    bench.open_database(true);
    until("applied", &running, |running| running.engine.status().buffer_len == 0).await;
    until("up", &running, |running| running.engine.status().database == Database::Up).await;
    for (id, events) in &told {
        assert_eq!(&running.read_to_end(*id).await, events);
    }
    assert_eq!(running.engine.status().conflicts, 0);
    running.engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_sql_refuses_is_put_aside_and_holds_up_nothing() {
    let bench = Bench::new();
    let running = bench.start().await;
    bench.open_database(false);
    let id = running.submit("say it [demo tokens=200 rate=0]", &["demo:brisk"]).await.request_id;
    let events = running.read_to_end(id).await;
    let text = |event: &Event| match &event.body {
        EventBody::Token(token) => Some(token.text.clone()),
        _ => None,
    };
    let refused = events.iter().filter_map(|event| text(event)).nth(100).unwrap();
    let hits = events.iter().filter(|event| text(event).as_ref() == Some(&refused)).count();
    *bench.refused.lock().unwrap() = Some(refused);
    bench.open_database(true);
    until("applied", &running, |running| running.engine.status().buffer_len == 0).await;
    // Tokens that came together are one record.
    let put_aside = running.engine.status().quarantined;
    assert!((1..=hits as u64).contains(&put_aside), "{put_aside} records of {hits} tokens");
    assert_eq!(bench.quarantined_files() as u64, put_aside);
    let after = running.submit("and on", &["demo:terse"]).await.request_id;
    finished(&running, after).await;
    until("applied", &running, |running| running.engine.status().buffer_len == 0).await;
    running.engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_the_log_has_lost_and_gives_again_do_not_pass_for_applied() {
    let bench = Bench::new();
    let running = bench.start().await;
    let first = running.submit("hello", &["demo:terse"]).await.request_id;
    let told = running.read_to_end(first).await;
    running.engine.close().await;
    drop(running);
    // SQL says that more was applied than the log has.
    let database = rusqlite::Connection::open(bench.database_file()).unwrap();
    assert_eq!(database.execute("UPDATE wal_positions SET applied = applied + 40", []).unwrap(), 1);
    drop(database);

    let running = bench.start().await;
    let second = running.submit("again", &["demo:terse"]).await.request_id;
    let again = running.read_to_end(second).await;
    until("applied", &running, |running| running.engine.status().buffer_len == 0).await;
    running.engine.close().await;
    drop(running);
    let running = bench.start().await;
    assert_eq!(running.read_to_end(second).await, again);
    assert_eq!(running.read_to_end(first).await, told);
    assert!(running.engine.subscribe(first, Some(Seq(0))).await.is_ok());
}
