//! A log that cannot be written: nobody is told a lie, and work goes on once it can be again.

use std::time::Duration;

use wordhoard_engine::{AdmitError, ReadError, Storage, Subscribed};
use wordhoard_model::{EventBody, Outcome};
use wordhoard_wal::{FaultPoint, Loss};

use crate::bench::{Bench, Running, read, request};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

async fn wait_for(running: &Running, storage: Storage) {
    for _ in 0..1000 {
        if running.engine.storage() == storage
            && running.engine.status().accepting == (storage == Storage::Open)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the storage is {:?}", running.engine.status());
}

/// A fault under running requests: their readers are broken off with what is durable, and after the fault has gone the
/// requests go on by themselves, without a gap, behind exactly what was seen.
async fn fault_under_load(point: FaultPoint, errno: i32) {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut followed = Vec::new();
    for lane in 0..4 {
        let prompt = format!("fault {lane} [demo tokens=150 rate=100]");
        followed.push(running.submit(&prompt, &["demo:brisk", "demo:bard"]).await.request_id);
    }
    let mut readers = Vec::new();
    for id in &followed {
        readers.push(running.follow(*id, None).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.disk.fail(point, "0", 0, errno);
    let mut seen = Vec::new();
    for reader in &mut readers {
        let mut before = Vec::new();
        let end = loop {
            match reader.next().await {
                Ok(Some(page)) => before.extend(page),
                other => break other,
            }
        };
        assert!(matches!(end, Err(ReadError::Interrupted)), "{end:?}");
        assert!(before.len() > 20, "only {} events before the fault", before.len());
        seen.push(before);
    }
    let refused = running.engine.admit(request("x", &["demo:terse"], None)).await.unwrap_err();
    assert!(matches!(refused, AdmitError::Storage(_) | AdmitError::NotAccepting), "{refused}");
    wait_for(&running, Storage::Open).await;
    for (id, seen) in followed.iter().zip(&seen) {
        let whole = running.read_to_end(*id).await;
        assert_eq!(&whole[..seen.len()], &seen[..], "what was seen has changed");
        let interrupted = |body: &EventBody| matches!(body, EventBody::AttemptFinished(end) if end.outcome == Outcome::Interrupted);
        assert_eq!(whole.iter().filter(|event| interrupted(&event.body)).count(), 2);
        let EventBody::RequestFinished(end) = &whole.last().unwrap().body else { panic!("no end") };
        assert_eq!(end.outcome, Outcome::Completed);
    }
    let admitted = running.submit("after", &["demo:terse"]).await;
    running.read_to_end(admitted.request_id).await;
    running.engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_on_after_an_fsync_error() {
    fault_under_load(FaultPoint::Sync, EIO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_on_after_a_full_disk() {
    fault_under_load(FaultPoint::Write, ENOSPC).await;
}

/// The log latches once more while recovery writes the ends of what the first latch interrupted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_fault_during_recovery_is_recovered_from_too() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut followed = Vec::new();
    for request in 0..50 {
        let prompt = format!("again {request} [demo tokens=300 rate=100]");
        followed.push(running.submit(&prompt, &["demo:brisk"]).await.request_id);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.disk.fail(FaultPoint::Sync, "0", 0, EIO);
    // The second sync of the segment that is made after the first fault.
    bench.disk.fail(FaultPoint::Sync, "0", 2, EIO);
    tokio::time::sleep(Duration::from_millis(500)).await;
    wait_for(&running, Storage::Open).await;
    for id in followed {
        // It may have opened between the two faults; then the reader is told to come back.
        let whole = loop {
            let read = match running.engine.subscribe(id, None).await {
                Ok(Subscribed::Following(mut subscription)) => read(&mut subscription).await,
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error),
            };
            match read {
                Err(ReadError::Interrupted) => tokio::time::sleep(Duration::from_millis(50)).await,
                read => break read.unwrap(),
            }
        };
        let EventBody::RequestFinished(end) = &whole.last().unwrap().body else { panic!("no end") };
        assert_eq!(end.outcome, Outcome::Completed);
    }
}

/// What only SQL knows goes on once SQL is back, though the log could be written long before; and a request that comes further
/// each time is interrupted as often as it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_on_once_sql_is_back_however_often_the_disk_was_full() {
    const FAULTS: usize = 7;
    let bench = Bench::new();
    let running = bench.start().await;
    let id = running.submit("often [demo tokens=1200 rate=100]", &["demo:brisk"]).await.request_id;
    for fault in 0..FAULTS {
        // Long enough that it comes further than ever before.
        tokio::time::sleep(Duration::from_millis(300 * (fault as u64 + 1))).await;
        bench.open_database(false);
        bench.disk.fail(FaultPoint::Write, "0", 0, ENOSPC);
        wait_for(&running, Storage::Latched).await;
        wait_for(&running, Storage::Open).await;
        let status = running.engine.status();
        assert!(status.recovery_due, "what only SQL knows cannot be taken up yet");
        assert_eq!((status.running_requests, status.waiting_for_recovery), (0, 1));
        bench.open_database(true);
        while running.engine.status().running_requests == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(running.engine.status().waiting_for_recovery, 0);
    }
    let whole = running.read_to_end(id).await;
    let interrupted = |body: &EventBody| matches!(body, EventBody::AttemptFinished(end) if end.outcome == Outcome::Interrupted);
    assert_eq!(whole.iter().filter(|event| interrupted(&event.body)).count(), FAULTS);
    let EventBody::RequestFinished(end) = &whole.last().unwrap().body else { panic!("no end") };
    assert_eq!(end.outcome, Outcome::Completed);
    running.engine.close().await;
}

/// With SQL away nothing but the log's own commit makes an event visible: none may wait for another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sql_every_last_event_becomes_visible_by_its_own_commit() {
    let bench = Bench::new();
    let running = bench.start().await;
    bench.open_database(false);
    for _ in 0..2_000 {
        let ended = async {
            let id = running.submit("quick", &["demo:terse"]).await.request_id;
            running.read_to_end(id).await
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("a durable event stayed invisible");
    }
    bench.open_database(true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_whose_record_cannot_be_synced_is_not_acknowledged_and_leaves_nothing() {
    let bench = Bench::new();
    let running = bench.start().await;
    bench.disk.fail(FaultPoint::Sync, "0", 0, EIO);
    let refused = running.engine.admit(request("lost", &["demo:terse"], None)).await.unwrap_err();
    assert!(matches!(refused, AdmitError::Storage(_)), "{refused}");
    wait_for(&running, Storage::Open).await;
    assert!(
        running
            .engine
            .list(wordhoard_store::ListQuery { limit: 10, ..Default::default() })
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seen_survives_a_power_loss_that_takes_all_that_was_not_synced() {
    let bench = Bench::new();
    let running = bench.start().await;
    let id = running.submit("power [demo tokens=500 rate=200]", &["demo:brisk"]).await.request_id;
    let mut reader = running.follow(id, None).await;
    let mut seen = Vec::new();
    while seen.len() < 100 {
        seen.extend(reader.next().await.unwrap().unwrap());
    }
    bench.disk.lose_power(Loss::Everything);
    drop(read(&mut reader).await);
    running.engine.close().await;
    drop(running);
    let running = bench.start().await;
    let whole = running.read_to_end(id).await;
    assert_eq!(&whole[..seen.len()], &seen[..]);
}
