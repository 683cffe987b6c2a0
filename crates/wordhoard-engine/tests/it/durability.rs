//! When an event may be seen, by setting.

use std::sync::Arc;
use std::time::Duration;

use wordhoard_engine::{Durability, record};
use wordhoard_model::{Event, RequestId};
use wordhoard_wal::{Loss, Options, Position, Wal};

use crate::bench::{Bench, request};

const SLOW: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_shows_nothing_before_its_fsync_is_done() {
    let bench = Bench::new();
    let running = bench.start().await;
    bench.disk.set_slow_sync(SLOW);
    let admitted = tokio::time::timeout(SLOW / 2, running.engine.admit(request("x", &["demo:terse"], None)));
    assert!(admitted.await.is_err(), "the prompt was acknowledged before its record was synced");
    bench.disk.set_slow_sync(Duration::ZERO);
    let id = running.submit("slow [demo tokens=40 rate=0]", &["demo:brisk"]).await.request_id;
    let mut reader = running.follow(id, None).await;
    while let Some(page) = reader.next().await.unwrap() {
        // A power loss at this moment would leave what is visible.
        let crashed = bench.disk.duplicate();
        crashed.lose_power(Loss::Everything);
        let (log, _) = Wal::open(Arc::new(crashed), Options::default()).unwrap();
        let last = page.last().unwrap().seq;
        assert!(events_of(&log, id).iter().any(|event| event.seq == last), "event {last} is not durable");
    }
}

fn events_of(log: &Wal, id: RequestId) -> Vec<Event> {
    let (mut reader, mut events) = (log.reader(Position(0)).unwrap(), Vec::new());
    loop {
        let records = reader.next_batch(1 << 20).unwrap();
        if records.is_empty() {
            return events;
        }
        for found in records {
            let decoded = record::decode(found.kind, found.version, &found.payload).unwrap();
            events.extend(decoded.filter(|(of, _)| *of == id).into_iter().flat_map(|(_, events)| events));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_shows_nothing_before_sql_has_it() {
    let bench = Bench::new();
    let running = bench.start_with(|settings| settings.durability = Durability::Database).await;
    let id = running.submit("seen [demo tokens=40 rate=0]", &["demo:brisk"]).await.request_id;
    running.read_to_end(id).await;
    bench.open_database(false);
    let admitted = tokio::time::timeout(SLOW, running.engine.admit(request("x", &["demo:terse"], None)));
    assert!(admitted.await.is_err(), "the prompt was acknowledged before SQL had it");
    bench.open_database(true);
    while running.engine.status().running_requests > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_shows_at_once_and_the_disk_follows() {
    let bench = Bench::new();
    let running = bench.start_with(|settings| settings.durability = Durability::Relaxed).await;
    bench.disk.set_slow_sync(SLOW);
    let admitted = tokio::time::timeout(SLOW / 2, running.engine.admit(request("x", &["demo:terse"], None)));
    let id = admitted.await.unwrap().unwrap().request_id;
    running.read_to_end(id).await;
    running.engine.close().await;
    drop(running);
    bench.disk.set_slow_sync(Duration::ZERO);
    bench.start().await.read_to_end(id).await;
}
