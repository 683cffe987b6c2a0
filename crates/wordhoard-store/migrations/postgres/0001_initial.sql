-- Names of kinds, statuses and failure classes are those of the wire. Free text is written through an escape, since
-- PostgreSQL takes no NUL: NUL is stored as U+FDD0 followed by '0', U+FDD0 itself as two of it.

CREATE TABLE llm_requests (
    request_id                 uuid             NOT NULL PRIMARY KEY,
    log_id                     bytea            NOT NULL,
    -- Whose it is: what keys have used is summed up from the requests.
    key_id                     uuid,
    created_at                 timestamptz      NOT NULL,
    status                     text             NOT NULL DEFAULT 'running',
    prompt                     text             NOT NULL,
    system_message             text,
    max_tokens                 bigint,
    temperature                double precision,
    parameters                 text             NOT NULL,
    lanes                      text             NOT NULL,
    fallback                   text,
    idempotency_key            text,
    idempotency_sha256         bytea,
    finished_at                timestamptz,
    event_count                bigint,
    lanes_completed            bigint,
    attempt_count              bigint,
    token_count                bigint,
    input_tokens               bigint,
    output_tokens              bigint,
    reasoning_tokens           bigint,
    cached_input_tokens        bigint,
    failed_input_tokens        bigint,
    failed_output_tokens       bigint,
    failed_reasoning_tokens    bigint,
    failed_cached_input_tokens bigint,
    cost_nano_usd              bigint,
    erased_at                  timestamptz
);

CREATE INDEX llm_requests_running ON llm_requests (log_id) WHERE status = 'running';
CREATE INDEX llm_requests_idempotency ON llm_requests (idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;
-- For the check of what has changed lately.
CREATE INDEX llm_requests_finished ON llm_requests (finished_at) WHERE finished_at IS NOT NULL;
-- For the figures of health, which are read from this and from llm_attempts_counted alone.
CREATE INDEX llm_requests_counted ON llm_requests (created_at, status, token_count);
CREATE INDEX llm_requests_of_keys ON llm_requests (created_at) WHERE key_id IS NOT NULL;
CREATE INDEX llm_requests_by_key ON llm_requests (key_id, request_id) WHERE key_id IS NOT NULL;

CREATE TABLE llm_attempts (
    request_id              uuid        NOT NULL,
    attempt_seq             bigint      NOT NULL,
    lane                    smallint    NOT NULL,
    provider                text        NOT NULL,
    model                   text        NOT NULL,
    continues_attempt_seq   bigint,
    continues_token_index   bigint,
    started_seq             bigint      NOT NULL,
    started_at              timestamptz NOT NULL,
    status                  text        NOT NULL DEFAULT 'running',
    finished_seq            bigint,
    finished_at             timestamptz,
    finish_reason           text,
    provider_finish_reason  text,
    token_count             bigint,
    answered_by             text,
    input_tokens            bigint,
    output_tokens           bigint,
    reasoning_tokens        bigint,
    cached_input_tokens     bigint,
    usage_details           text,
    cost_nano_usd           bigint,
    failure_class           text,
    failure_message         text,
    failure_provider_status integer,
    failure_retry_after_ms  bigint,
    rest_events             bytea,
    rest_document           text,
    PRIMARY KEY (request_id, attempt_seq)
);

CREATE INDEX llm_attempts_counted ON llm_attempts (provider, started_at, finished_at);

-- One row for each run: consecutive pieces of one attempt that one transaction wrote. llm_token_log shows them one by one.
--
-- A request id is a UUIDv7, so a range of ids is a range of time. The weekly partitions are made by the server, ahead
-- of time; pruning drops them.
CREATE TABLE llm_token_runs (
    request_id        uuid        NOT NULL,
    attempt_seq       bigint      NOT NULL,
    first_token_index bigint      NOT NULL,
    token_count       bigint      NOT NULL,
    first_seq         bigint      NOT NULL,
    last_seq          bigint      NOT NULL,
    at                timestamptz NOT NULL,
    texts             text[]      NOT NULL,
    kinds             text,
    seq_offsets       bigint[],
    at_offsets_ms     bigint[],
    events            bytea,
    events_crc        bigint,
    PRIMARY KEY (request_id, attempt_seq, first_token_index)
) PARTITION BY RANGE (request_id);

-- Takes what no other partition takes.
CREATE TABLE llm_token_runs_default PARTITION OF llm_token_runs DEFAULT;

CREATE VIEW llm_token_log AS
SELECT run.request_id, run.attempt_seq, run.first_token_index + token.place - 1 AS token_index,
    run.first_seq + coalesce(token.seq_offset, token.place - 1) AS seq,
    run.at + coalesce(token.at_offset_ms, 0) * interval '1 millisecond' AS at,
    CASE coalesce(substr(run.kinds, token.place::integer, 1), 't')
        WHEN 't' THEN 'text' WHEN 'r' THEN 'reasoning' WHEN 'c' THEN 'tool_call' WHEN 'f' THEN 'refusal'
        WHEN 'a' THEN 'annotation' END AS kind,
    token.text
FROM llm_token_runs AS run
CROSS JOIN LATERAL unnest(run.texts, run.seq_offsets, run.at_offsets_ms)
    WITH ORDINALITY AS token (text, seq_offset, at_offset_ms, place);

-- Written in the transaction of the rows, always. The mark of a retired log stands beside its position, so that the lock of the
-- one is the lock of both.
CREATE TABLE wal_positions (
    log_id          bytea  NOT NULL PRIMARY KEY,
    applied         bigint NOT NULL,
    doubted_through uuid,
    retired_at      timestamptz,
    retired_by      bytea
);

CREATE TABLE servers (
    log_id      bytea       NOT NULL PRIMARY KEY,
    seen_at     timestamptz NOT NULL,
    address     text,
    host        text,
    version     text,
    departure   text,
    departed_at timestamptz
);

CREATE TABLE api_keys (
    key_id     uuid        NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    scope      text        NOT NULL,
    sha256     bytea       NOT NULL UNIQUE,
    group_name text,
    limits     text,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- The breaker's time is apart from the switch's: servers tell the one, administrators the other.
CREATE TABLE provider_status (
    provider           text        NOT NULL PRIMARY KEY,
    enabled            boolean     NOT NULL DEFAULT true,
    changed_at         timestamptz NOT NULL,
    breaker            text        NOT NULL DEFAULT 'closed',
    breaker_changed_at timestamptz
);

CREATE TABLE maintenance (
    name          text        NOT NULL PRIMARY KEY,
    finished_at   timestamptz NOT NULL,
    covered_until timestamptz NOT NULL
);

CREATE TABLE maintenance_runs (
    run_id      uuid        NOT NULL PRIMARY KEY,
    job         text        NOT NULL,
    log_id      bytea       NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    outcome     text        NOT NULL,
    detail      text
);

CREATE INDEX maintenance_runs_job ON maintenance_runs (job, started_at);

COMMENT ON TABLE llm_requests IS 'One row for each prompt that was accepted.';
COMMENT ON COLUMN llm_requests.fallback IS 'Who may stand in for whom: a JSON list of models, empty for nobody, NULL where the configuration decides.';
COMMENT ON COLUMN llm_requests.failed_input_tokens IS 'Of attempts that failed; so the other failed_… columns.';
COMMENT ON COLUMN llm_requests.cost_nano_usd IS 'What the answers cost, in nano-dollars.';
COMMENT ON COLUMN llm_requests.erased_at IS 'When what the request said was erased. Its rows stay without it: what was used and what it cost still counts.';
COMMENT ON TABLE llm_attempts IS 'One row for each call to a provider. A retry or a fallback is a call of its own.';
COMMENT ON COLUMN llm_attempts.provider_finish_reason IS 'The provider''s own word, where finish_reason is another.';
COMMENT ON COLUMN llm_attempts.usage_details IS 'What of the usage has prices of its own (cache writes, sound, images, service tier), as a JSON object.';
COMMENT ON COLUMN llm_attempts.rest_events IS 'The provider''s events behind the last piece, for clients of its own dialect, coded as those of the log.';
COMMENT ON COLUMN llm_attempts.rest_document IS 'The whole answer, where it came as one document and its client speaks the provider''s dialect.';
COMMENT ON TABLE llm_token_runs IS 'One row for each run: consecutive pieces of one attempt that one transaction wrote. Weekly partitions by request_id, whose first 48 bits are the time in milliseconds since 1970.';
COMMENT ON COLUMN llm_token_runs.at IS 'When the first of them came.';
COMMENT ON COLUMN llm_token_runs.texts IS 'One element for each token, as the provider sent it.';
COMMENT ON COLUMN llm_token_runs.kinds IS 'One letter for each token: t text, r reasoning, c tool_call, f refusal, a annotation. NULL where all are text.';
COMMENT ON COLUMN llm_token_runs.seq_offsets IS 'Behind first_seq; NULL where each seq is one more than the one before.';
COMMENT ON COLUMN llm_token_runs.at_offsets_ms IS 'Behind at; NULL where all came at once.';
COMMENT ON COLUMN llm_token_runs.events IS 'The provider''s events that the pieces stood in, for clients of its own dialect, coded as in the log.';
COMMENT ON COLUMN llm_token_runs.events_crc IS 'CRC-32C of events.';
COMMENT ON TABLE llm_token_runs_default IS 'Runs of requests whose week has no partition. Normally empty.';
COMMENT ON VIEW llm_token_log IS 'One row for each piece of an answer, as the provider sent it.';
COMMENT ON TABLE wal_positions IS 'For each server''s log: records below this position are in the tables.';
COMMENT ON COLUMN wal_positions.doubted_through IS 'Requests up to this id may have rows that this log has lost: it was found shorter than what had been applied of it.';
COMMENT ON COLUMN wal_positions.retired_at IS 'Since when nothing more of this log is taken.';
COMMENT ON COLUMN wal_positions.retired_by IS 'The log of the server that closes its open requests; empty where none has taken that on yet.';
COMMENT ON TABLE servers IS 'Which servers use this database, and when each last said so.';
COMMENT ON COLUMN servers.departure IS 'stopped: it goes on at its next start; left: it has ended all its requests. Empty while it runs, and after a crash.';
COMMENT ON TABLE api_keys IS 'Who may call. The key itself is nowhere: it is random, and known by its SHA-256.';
COMMENT ON COLUMN api_keys.group_name IS 'Keys of one group see each other''s requests.';
COMMENT ON COLUMN api_keys.limits IS 'What the key may use, as JSON; NULL where nothing is limited.';
COMMENT ON TABLE provider_status IS 'What all servers on this database are to know of a provider. One that has no row is enabled and closed.';
COMMENT ON TABLE maintenance IS 'When each kind of maintenance last went well, and up to when what it looked at was recorded.';
COMMENT ON TABLE maintenance_runs IS 'Each run of a maintenance job, by whichever server. outcome: running, finished or failed; detail: JSON.';
