//! Much goes, and nobody who streams notices.

use std::time::{Duration, Instant};

use serde_json::json;
use wordhoard_testkit::postgres::Postgres;

use super::{CALL, assert_consistent, end_of, old, prune};
use crate::database::Database;
use crate::outages::load::Load;
use crate::outages::scene;
use crate::seed::setting;

const STREAMS: usize = 50;
const TOKENS_EACH: u64 = 200;
/// The streams settle, then their normal pace is measured.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(4);
/// How long removing the tokens, which are whole partitions, may take.
const PARTITIONS_LIMIT_MS: u64 = 5_000;
const TRANSACTION_LIMIT_MS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_streams_are_unhurt_and_partitions_go_whole() {
    let tokens = setting("WORDHOARD_PRUNE_TOKENS").unwrap_or(300_000);
    let cluster = Postgres::builder().setting("max_wal_size", "8GB").start().await;
    let (home, _provider) = scene::home(&cluster.url());
    let database = Database::Postgres(Box::new(cluster));
    assert!(home.run(&["migrate"]).unwrap().status.success());
    let planting = Instant::now();
    old(tokens / TOKENS_EACH, TOKENS_EACH).plant(&database, &home).await;
    println!("{tokens} tokens planted in {:?}", planting.elapsed());
    let server = home.start().unwrap();
    let client = server.client().with_key(scene::ADMIN_KEY).unwrap();
    let mut load = Load::with_streams(&server.client(), STREAMS).await;
    tokio::time::sleep(WARM_UP).await;
    let from = Instant::now();
    tokio::time::sleep(MEASURED).await;
    let normal = load.arrivals().pace(from, Instant::now());

    let from = Instant::now();
    let begun = client.post(CALL, &json!({ "retention_days": 180 })).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.body);
    let operation = end_of(&client, begun.location.as_deref().unwrap()).await;
    let took = from.elapsed();
    // What the deletion leaves to do for the database is part of it.
    tokio::time::sleep(MEASURED.saturating_sub(took)).await;
    let pruning = load.arrivals().pace(from, Instant::now());
    load.assert_going_on();
    let report = &operation["result"];
    println!("normal: {normal}\nwhile {tokens} tokens were pruned in {took:?}: {pruning}\n{report}");
    assert_eq!(report["tokens"].as_u64(), Some(tokens), "{operation}");
    assert!(report["partitions"].as_u64() >= Some(14), "{operation}");
    assert!(report["partitions_ms"].as_u64() < Some(PARTITIONS_LIMIT_MS), "{operation}");
    pruning.assert_near(&normal, "prune");

    let recorded = load.end().await;
    let seen: usize = recorded.iter().map(|one| one.ledger.tokens().count()).sum();
    settled(&client).await;
    assert_eq!(assert_consistent(&home)["tokens"].as_u64(), Some(seen as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_no_transaction_is_long() {
    let tokens = setting("WORDHOARD_PRUNE_TOKENS").map_or(200_000, |tokens| tokens / 5);
    let (home, _provider) = scene::home("");
    assert!(home.run(&["migrate"]).unwrap().status.success());
    old(tokens / TOKENS_EACH, TOKENS_EACH).plant(&Database::Sqlite, &home).await;
    let server = home.start().unwrap();
    let mut load = Load::with_streams(&server.client(), STREAMS).await;
    tokio::time::sleep(WARM_UP).await;
    let started = Instant::now();
    let report = tokio::task::block_in_place(|| prune(&home, &[]));
    load.assert_going_on();
    println!("{tokens} tokens pruned in {:?}: {report}", started.elapsed());
    assert_eq!(report["tokens"].as_u64(), Some(tokens), "{report}");
    assert!(report["longest_transaction_ms"].as_u64() < Some(TRANSACTION_LIMIT_MS), "{report}");
    let recorded = load.end().await;
    let seen: usize = recorded.iter().map(|one| one.ledger.tokens().count()).sum();
    settled(&server.client()).await;
    assert_eq!(assert_consistent(&home)["tokens"].as_u64(), Some(seen as u64));
}

async fn settled(client: &wordhoard_testkit::client::Client) {
    while client.get("/api/health").await.unwrap().body["buffer_len"] != 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
