//! The start does not grow with what the database holds.

use std::time::{Duration, Instant};

use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::{health, ready};
use crate::database::Database;
use crate::seed::setting;

const TOKENS_PER_REQUEST: u64 = 200;
/// Over so many days the requests are spread, evenly and until now.
const DAYS: u64 = 25;
const DAY_MS: u64 = 24 * 3600 * 1000;
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
    plant(database, &home, tokens / TOKENS_PER_REQUEST).await;
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

/// Requests that ended long ago, without a flaw.
async fn plant(database: &Database, home: &ServerHome, requests: u64) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let (first, step) = (now - DAYS * DAY_MS, DAYS * DAY_MS / requests);
    let sql = match database {
        Database::Sqlite => SQLITE,
        Database::Postgres(_) => POSTGRES,
    };
    let numbers = [
        ("{requests}", requests),
        ("{tokens}", TOKENS_PER_REQUEST),
        ("{first}", first),
        ("{step}", step),
        ("{first_week}", first / (7 * DAY_MS)),
        ("{last_week}", now / (7 * DAY_MS)),
    ];
    let sql =
        numbers.iter().fold(sql.to_owned(), |sql, (name, number)| sql.replace(name, &number.to_string()));
    database.execute(home, &sql).await;
    if let Database::Postgres(cluster) = database {
        cluster.psql(&["-c", "ANALYZE", "-c", "CHECKPOINT"]).await;
    }
}

const SQLITE: &str = "
PRAGMA cache_size = -200000;
PRAGMA synchronous = off;
BEGIN;
CREATE TEMP TABLE planted AS
    WITH RECURSIVE number (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < {requests})
    SELECT unhex(printf('%012x7%03xb%015x', {first} + i * {step}, i & 4095, i)) AS id, {first} + i * {step} AS ms FROM number;
INSERT INTO llm_requests (request_id, log_id, created_at, status, prompt, parameters, lanes, finished_at,
        event_count, lanes_completed, attempt_count, token_count, input_tokens, output_tokens)
    SELECT id, x'abababababababababababababababab', ms, 'completed', 'planted', '{}', '[{\"model\":\"demo:brisk\"}]',
        ms + 1000, {tokens} + 4, 1, 1, {tokens}, 9, {tokens} FROM planted;
INSERT INTO llm_attempts (request_id, attempt_seq, lane, provider, model, started_seq, started_at, status,
        finished_seq, finished_at, finish_reason, token_count, input_tokens, output_tokens)
    SELECT id, 1, 0, 'demo', 'brisk', 1, ms, 'completed', {tokens} + 2, ms + 1000, 'stop', {tokens}, 9, {tokens}
    FROM planted;
INSERT INTO llm_token_log
    WITH RECURSIVE token (j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM token WHERE j + 1 < {tokens})
    SELECT id, 1, j, j + 2, ms + j, 'text', ' word' FROM planted CROSS JOIN token;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
";

const POSTGRES: &str = "
SET ROLE wordhoard;
DO $$ DECLARE name text; BEGIN
    FOR week IN {first_week}..{last_week} LOOP
        name := 'llm_token_log_' || to_char(to_timestamp(week * 604800::bigint) AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF llm_token_log FOR VALUES FROM (%L) TO (%L)', name,
                rpad(lpad(to_hex(week * 604800000::bigint), 12, '0'), 32, '0'),
                rpad(lpad(to_hex((week + 1) * 604800000::bigint), 12, '0'), 32, '0'));
        END IF;
    END LOOP;
END $$;
INSERT INTO llm_requests (request_id, log_id, created_at, status, prompt, parameters, lanes, finished_at,
        event_count, lanes_completed, attempt_count, token_count, input_tokens, output_tokens)
    SELECT (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(i & 4095), 3, '0') || 'b' || lpad(to_hex(i), 15, '0'))::uuid,
        decode(repeat('ab', 16), 'hex'), to_timestamp(ms / 1000.0), 'completed', 'planted', '{}',
        '[{\"model\":\"demo:brisk\"}]', to_timestamp(ms / 1000.0 + 1), {tokens} + 4, 1, 1, {tokens}, 9, {tokens}
    FROM generate_series(0::bigint, {requests} - 1) AS i, LATERAL (SELECT {first} + i * {step} AS ms) AS moment;
INSERT INTO llm_attempts (request_id, attempt_seq, lane, provider, model, started_seq, started_at, status,
        finished_seq, finished_at, finish_reason, token_count, input_tokens, output_tokens)
    SELECT request_id, 1, 0, 'demo', 'brisk', 1, created_at, 'completed', {tokens} + 2, finished_at, 'stop', {tokens},
        9, {tokens} FROM llm_requests;
INSERT INTO llm_token_log (request_id, attempt_seq, token_index, seq, at, kind, text)
    SELECT request_id, 1, j, j + 2, created_at, 'text', ' word'
    FROM (SELECT request_id, created_at, token_count FROM llm_requests ORDER BY request_id OFFSET 0) AS planted,
        LATERAL generate_series(0, token_count - 1) AS j;
";
