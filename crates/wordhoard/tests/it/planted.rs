//! Requests that ended long ago, without a flaw, written into SQL by hand: more than a test could ask for.

use wordhoard_testkit::server::ServerHome;

use crate::database::Database;

pub const DAY_MS: u64 = 24 * 3600 * 1000;

/// Completed requests of the same length, at an even distance.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    pub requests: u64,
    pub tokens_each: u64,
    pub first_ms: u64,
    pub step_ms: u64,
}

pub fn now_ms() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

impl Planted {
    /// The id of one of them, by its number.
    pub fn id(&self, number: u64) -> String {
        let hex =
            format!("{:012x}7{:03x}b{number:015x}", self.first_ms + number * self.step_ms, number & 4095);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    pub async fn plant(&self, database: &Database, home: &ServerHome) {
        let sql = match database {
            Database::Sqlite => SQLITE,
            Database::Postgres(_) => POSTGRES,
        };
        let last_ms = self.first_ms + self.requests * self.step_ms;
        let numbers = [
            ("{requests}", self.requests),
            ("{tokens}", self.tokens_each),
            ("{first}", self.first_ms),
            ("{step}", self.step_ms),
            ("{first_week}", self.first_ms / (7 * DAY_MS)),
            ("{last_week}", last_ms / (7 * DAY_MS)),
        ];
        let fill = |sql: String, (name, number): &(&str, u64)| sql.replace(name, &number.to_string());
        let sql = numbers.iter().fold(sql.to_owned(), fill);
        database.execute(home, &sql).await;
        if let Database::Postgres(cluster) = database {
            // As PostgreSQL has done with what is old.
            cluster.psql(&["-c", "VACUUM (ANALYZE)", "-c", "CHECKPOINT"]).await;
        }
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
INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts)
    WITH RECURSIVE run (j) AS (SELECT 0 UNION ALL SELECT j + 100 FROM run WHERE j + 100 < {tokens}),
        sized (j, n) AS (SELECT j, min(100, {tokens} - j) FROM run)
    SELECT id, 1, j, n, j + 2, j + n + 1, ms + j, '[' || substr(replace(hex(zeroblob(n)), '00', ',\" word\"'), 2) || ']'
    FROM planted CROSS JOIN sized;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
";

const POSTGRES: &str = "
SET ROLE wordhoard;
DO $$ DECLARE name text; BEGIN
    FOR week IN {first_week}..{last_week} LOOP
        name := 'llm_token_runs_' || to_char(to_timestamp(week * 604800::bigint) AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF llm_token_runs FOR VALUES FROM (%L) TO (%L)', name,
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
        9, {tokens} FROM llm_requests WHERE log_id = decode(repeat('ab', 16), 'hex');
INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts)
    SELECT request_id, 1, j, n, j + 2, j + n + 1, created_at, array_fill(' word'::text, ARRAY[n::integer])
    FROM (SELECT request_id, created_at, token_count FROM llm_requests WHERE log_id = decode(repeat('ab', 16), 'hex') ORDER BY request_id OFFSET 0) AS planted,
        LATERAL generate_series(0, token_count - 1, 100) AS j, LATERAL (SELECT least(100, token_count - j) AS n) AS sized;
";
