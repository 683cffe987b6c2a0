-- Names of kinds, statuses and failure classes are those of the wire. Free text is written through an escape, since
-- PostgreSQL takes no NUL: NUL is stored as U+FDD0 followed by '0', U+FDD0 itself as two of it.

CREATE TABLE llm_requests (
    request_id          uuid             NOT NULL PRIMARY KEY,
    log_id              bytea            NOT NULL,
    created_at          timestamptz      NOT NULL,
    status              text             NOT NULL DEFAULT 'running',
    prompt              text             NOT NULL,
    system_message      text,
    max_tokens          bigint,
    temperature         double precision,
    parameters          text             NOT NULL,
    lanes               text             NOT NULL,
    idempotency_key     text,
    idempotency_sha256  bytea,
    finished_at         timestamptz,
    event_count         bigint,
    lanes_completed     bigint,
    attempt_count       bigint,
    token_count         bigint,
    input_tokens        bigint,
    output_tokens       bigint,
    reasoning_tokens    bigint,
    cached_input_tokens bigint
);

CREATE INDEX llm_requests_running ON llm_requests (log_id) WHERE status = 'running';
CREATE INDEX llm_requests_idempotency ON llm_requests (idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;
-- For the check of what has changed lately.
CREATE INDEX llm_requests_finished ON llm_requests (finished_at) WHERE finished_at IS NOT NULL;

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
    token_count             bigint,
    answered_by             text,
    input_tokens            bigint,
    output_tokens           bigint,
    reasoning_tokens        bigint,
    cached_input_tokens     bigint,
    failure_class           text,
    failure_message         text,
    failure_provider_status integer,
    failure_retry_after_ms  bigint,
    PRIMARY KEY (request_id, attempt_seq)
);

-- A request id is a UUIDv7, so a range of ids is a range of time. The weekly partitions are made by the server, ahead
-- of time; pruning drops them.
CREATE TABLE llm_token_log (
    request_id  uuid        NOT NULL,
    attempt_seq bigint      NOT NULL,
    token_index bigint      NOT NULL,
    seq         bigint      NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    text        text        NOT NULL,
    PRIMARY KEY (request_id, attempt_seq, token_index),
    -- For reading in the order of events, and for finding gaps in it.
    CONSTRAINT llm_token_log_seq UNIQUE (request_id, seq)
) PARTITION BY RANGE (request_id);

-- Takes what no other partition takes.
CREATE TABLE llm_token_log_default PARTITION OF llm_token_log DEFAULT;

-- Written in the transaction of the rows, always.
CREATE TABLE wal_positions (
    log_id  bytea  NOT NULL PRIMARY KEY,
    applied bigint NOT NULL
);

CREATE TABLE servers (
    log_id  bytea       NOT NULL PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE TABLE maintenance (
    name          text        NOT NULL PRIMARY KEY,
    finished_at   timestamptz NOT NULL,
    covered_until timestamptz NOT NULL
);

COMMENT ON TABLE llm_requests IS 'One row for each prompt that was accepted.';
COMMENT ON TABLE llm_attempts IS 'One row for each call to a provider. A retry or a fallback is a call of its own.';
COMMENT ON TABLE llm_token_log IS 'One row for each piece of an answer, as the provider sent it. Weekly partitions by request_id, whose first 48 bits are the time in milliseconds since 1970.';
COMMENT ON TABLE llm_token_log_default IS 'Tokens of requests whose week has no partition. Normally empty.';
COMMENT ON TABLE wal_positions IS 'For each server''s log: records below this position are in the tables.';
COMMENT ON TABLE servers IS 'Which servers use this database, and when each last said so.';
COMMENT ON TABLE maintenance IS 'When each kind of maintenance last went well, and up to when what it looked at was recorded.';
