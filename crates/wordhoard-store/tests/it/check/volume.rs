//! Many tokens: the check of what has changed touches nothing else, and that of everything is quick.

use std::time::{Duration, Instant};

use wordhoard_model::{RequestId, Timestamp};
use wordhoard_store::{CheckScope, CheckSlice};
use wordhoard_testkit::postgres::Postgres;

use super::stories::tokens_missing;
use super::{changed, check_in_slices, faults};
use crate::database::Database;

const FIRST_MS: i64 = 1_764_000_000_000;
/// Between two requests. 50,000 of them fill three weeks, so four partitions.
const STEP_MS: i64 = 40_000;
/// Two attempts of 100 tokens.
const TOKENS: u64 = 200;
/// Rows that these have.
const RUNS: u64 = 8;
/// Requests that ran at the same time, so that their tokens lie interleaved on the disk.
const TOGETHER: u64 = 200;

fn id(number: u64) -> RequestId {
    let millis = (FIRST_MS + STEP_MS * number as i64) as u128;
    RequestId::from_bytes((millis << 80 | 7 << 76 | 1 << 63 | u128::from(number)).to_be_bytes())
}

/// Such requests as the server would have written them.
async fn fill(database: &Database, requests: u64) {
    let (sqlite, postgres) = (
        "with recursive series(n) as (select 0 union all select n + 1 from series where n < {last})",
        "with series(n) as (select generate_series(0, {last}))",
    );
    let (id, at) = match database.postgres_number("SELECT 1::bigint").await {
        None => ("unhex(printf('%012x70008000%012x', {ms}, r))", "{ms}"),
        Some(_) => (
            "(lpad(to_hex({ms}::bigint), 12, '0') || '70008000' || lpad(to_hex(r), 12, '0'))::uuid",
            "to_timestamp({ms} / 1000)",
        ),
    };
    let ms = format!("({FIRST_MS} + {STEP_MS} * r)");
    let (id, at) = (id.replace("{ms}", &ms), at.replace("{ms}", &ms));
    let log = if at.starts_with('(') { "x'07'" } else { r"'\x07'::bytea" };
    let series = |last: u64| {
        let text = if at.starts_with('(') { sqlite } else { postgres };
        text.replace("{last}", &last.to_string())
    };
    database
        .run(&format!(
            "INSERT INTO llm_requests (request_id, log_id, created_at, status, prompt, parameters, lanes, finished_at,
                 event_count, lanes_completed, attempt_count, token_count)
             {} SELECT {id}, {log}, {at}, 'completed', 'p', '{{}}', '[]', {at}, 206, 2, 2, 200
             FROM (SELECT n AS r FROM series) AS numbers",
            series(requests - 1)
        ))
        .await;
    database
        .run(&format!(
            "INSERT INTO llm_attempts (request_id, attempt_seq, lane, provider, model, started_seq, started_at, status,
                 finished_seq, finished_at, token_count)
             {} SELECT {id}, a, a - 1, 'demo', 'brisk', 1 + (a - 1) * 102, {at}, 'completed', a * 102, {at}, 100
             FROM (SELECT n / 2 AS r, n % 2 + 1 AS a FROM series) AS numbers",
            series(2 * requests - 1)
        ))
        .await;
    // Of each group first all first runs, then all second ones, and so on.
    let (group, run) = (RUNS * TOGETHER, TOKENS / RUNS);
    let texts = if at.starts_with('(') {
        format!("'[' || substr(replace(hex(zeroblob({run})), '00', ',\" word\"'), 2) || ']'")
    } else {
        format!("array_fill(' word'::text, ARRAY[{run}])")
    };
    database
        .run(&format!(
            "INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at,
                 texts)
             {} SELECT {id}, i / 100 + 1, i % 100, {run}, 2 + i / 100 * 102 + i % 100, 1 + i / 100 * 102 + i % 100 + {run},
                 {at}, {texts}
             FROM (SELECT n / {group} * {TOGETHER} + n % {TOGETHER} AS r, n % {group} / {TOGETHER} * {run} AS i
                   FROM series) AS numbers",
            series(requests * RUNS - 1)
        ))
        .await;
}

async fn lose_a_token(database: &Database, number: u64) {
    let place = database.is(id(number));
    let sql = format!("DELETE FROM llm_token_log WHERE {place} AND attempt_seq = 2 AND token_index = 50");
    assert!(database.run(&sql).await > 0);
}

#[tokio::test]
async fn postgres_reads_only_what_has_changed() {
    const REQUESTS: u64 = 1_000;
    let cluster = Postgres::builder().setting("fsync", "off").start().await;
    let database = Database::postgres(&cluster, "volume").await;
    database.store.migrate(Timestamp::from_millis(FIRST_MS)).await.unwrap();
    fill(&database, REQUESTS).await;
    database.run("ANALYZE").await;
    lose_a_token(&database, 0).await;
    lose_a_token(&database, REQUESTS - 4).await;
    // What a connection has counted is handed in when it ends.
    let read = async |what: &str| {
        let sql = format!(
            "SELECT ((SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE '{what}') +
                (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE '{what}'))::bigint"
        );
        database.postgres_number(&sql).await.unwrap()
    };
    let (requests, tokens) = (read("llm_requests").await, read("llm_token_runs%").await);
    let since = FIRST_MS + STEP_MS * (REQUESTS as i64 - 5);
    let checked = check_in_slices(&*database.store, changed(since), 2).await;
    assert_eq!(faults(&checked), [(id(REQUESTS - 4), Some(2), tokens_missing(50, 50))]);
    assert_eq!((checked.requests, checked.tokens), (5, 5 * TOKENS - 1));
    database.store.close().await;
    let patience = Instant::now() + Duration::from_secs(20);
    while read("llm_token_runs%").await == tokens {
        assert!(Instant::now() < patience, "the server does not count");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (requests, tokens) = (read("llm_requests").await - requests, read("llm_token_runs%").await - tokens);
    // One of the runs was taken apart.
    let there = (5 * RUNS + TOKENS / RUNS) as i64;
    assert!(tokens <= 3 * there, "{tokens} rows were read to see {there}");
    assert!(requests < 100, "{requests} rows were read to see 5 requests");
}

/// Prints how long a check of ten million tokens takes.
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn measure(database: &Database) {
    const REQUESTS: u64 = 50_000;
    let start = Instant::now();
    fill(database, REQUESTS).await;
    println!("filled with {} tokens in {:.1?}", REQUESTS * TOKENS, start.elapsed());
    lose_a_token(database, 25_000).await;
    for run in 1..=2 {
        let start = Instant::now();
        let (mut before, mut longest, mut tokens, mut findings) = (None, Duration::ZERO, 0, Vec::new());
        loop {
            let (slice_start, scope) = (Instant::now(), CheckScope::Whole);
            let part = database.store.check(CheckSlice { scope, before, requests: 500 }).await.unwrap();
            longest = longest.max(slice_start.elapsed());
            tokens += part.tokens;
            findings.extend(faults(&part));
            before = part.next;
            if before.is_none() {
                break;
            }
        }
        println!("whole, run {run}: {:.1?}; longest slice {longest:.1?}", start.elapsed());
        assert_eq!(tokens, REQUESTS * TOKENS - 1);
        assert_eq!(findings, [(id(25_000), Some(2), tokens_missing(50, 50))]);
    }
    let start = Instant::now();
    let checked = check_in_slices(&*database.store, changed(FIRST_MS + STEP_MS * 49_950), 500).await;
    println!("changed, {} requests: {:.1?}", checked.requests, start.elapsed());
    assert_eq!((checked.requests, checked.findings.len()), (50, 0));
}

#[tokio::test]
#[ignore = "a measurement: minutes, and 3 GB of disk"]
async fn sqlite_ten_million_tokens() {
    let dir = tempfile::tempdir().unwrap();
    measure(&Database::sqlite(dir.path()).await).await;
}

#[tokio::test]
#[ignore = "a measurement: minutes, and 3 GB of disk"]
async fn postgres_ten_million_tokens() {
    let cluster = Postgres::builder().setting("fsync", "off").start().await;
    let database = Database::postgres(&cluster, "volume").await;
    database.store.migrate(Timestamp::from_millis(FIRST_MS)).await.unwrap();
    measure(&database).await;
}
