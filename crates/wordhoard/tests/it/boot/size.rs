//! The start does not grow with what the database holds.

use std::time::{Duration, Instant};

use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::{health, ready};
use crate::database::Database;
use crate::planted::{DAY_MS, Planted, now_ms};
use crate::seed::setting;

const TOKENS_PER_REQUEST: u64 = 200;
/// Over so many days the requests are spread, evenly and until now.
const DAYS: u64 = 25;
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn of_sqlite_does_not_slow_the_start() {
    let mut times = Vec::new();
    for tokens in sizes() {
        times.push(start_with(&Database::Sqlite, tokens).await);
    }
    println!("SQLite: {times:?}");
}

#[tokio::test]
async fn of_postgresql_does_not_slow_the_start() {
    let mut times = Vec::new();
    for tokens in sizes() {
        let cluster = Postgres::builder().setting("max_wal_size", "8GB").start().await;
        times.push(start_with(&Database::Postgres(Box::new(cluster)), tokens).await);
    }
    println!("PostgreSQL: {times:?}");
}

fn sizes() -> [u64; 2] {
    [10_000, setting("WORDHOARD_BOOT_TOKENS").unwrap_or(500_000)]
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are printed")]
struct Times {
    tokens: u64,
    /// The first start looks back a day, the later ones to the last check without findings.
    first_start: Duration,
    later_start: Duration,
    whole_check: Duration,
}

/// From the start of the process to the first 200 of `/readyz`.
async fn start_with(database: &Database, tokens: u64) -> Times {
    let home = database.home();
    assert!(home.run(&["migrate"]).unwrap().status.success());
    let planting = Instant::now();
    let requests = tokens / TOKENS_PER_REQUEST;
    let first_ms = now_ms() - DAYS * DAY_MS;
    let planted =
        Planted { requests, tokens_each: TOKENS_PER_REQUEST, first_ms, step_ms: DAYS * DAY_MS / requests };
    planted.plant(database, &home).await;
    println!("{tokens} tokens planted in {:?}", planting.elapsed());
    let first_start = start(&home).await;
    let later_start = start(&home).await;
    let checking = Instant::now();
    let output = home.run(&["check", "--full", "--json"]).unwrap();
    let whole_check = checking.elapsed();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["tokens"].as_u64(), output.status.code()), (Some(tokens), Some(0)), "{report}");
    let times = Times { tokens, first_start, later_start, whole_check };
    println!("{times:?}");
    assert!(first_start.max(later_start) < LIMIT, "{times:?}");
    times
}

async fn start(home: &ServerHome) -> Duration {
    let started = Instant::now();
    let mut server = home.spawn().unwrap();
    let took = ready(&server, started).await;
    println!("{}", health(&server.client()).await["services"]["boot"]);
    // What the start has left to the background is done, or the next start would have it too.
    while health(&server.client()).await["token_gap"] != false {
        assert!(started.elapsed() < super::PATIENCE, "it does not check");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.terminate().unwrap();
    server.wait(super::PATIENCE).unwrap();
    took
}
