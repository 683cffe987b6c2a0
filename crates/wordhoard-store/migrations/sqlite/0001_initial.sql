-- Times are milliseconds since 1970 UTC. Ids are the 16 bytes of a UUIDv7. Names of kinds, statuses and failure
-- classes are those of the wire.

CREATE TABLE llm_requests (
    request_id          BLOB    NOT NULL PRIMARY KEY,
    log_id              BLOB    NOT NULL,
    created_at          INTEGER NOT NULL,
    status              TEXT    NOT NULL DEFAULT 'running',
    prompt              TEXT    NOT NULL,
    system_message      TEXT,
    max_tokens          INTEGER,
    temperature         REAL,
    parameters          TEXT    NOT NULL,
    lanes               TEXT    NOT NULL,
    idempotency_key     TEXT,
    idempotency_sha256  BLOB,
    finished_at         INTEGER,
    event_count         INTEGER,
    lanes_completed     INTEGER,
    attempt_count       INTEGER,
    token_count         INTEGER,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    reasoning_tokens    INTEGER,
    cached_input_tokens INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX llm_requests_running ON llm_requests (log_id) WHERE status = 'running';
CREATE INDEX llm_requests_idempotency ON llm_requests (idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;

CREATE TABLE llm_attempts (
    request_id              BLOB    NOT NULL,
    attempt_seq             INTEGER NOT NULL,
    lane                    INTEGER NOT NULL,
    provider                TEXT    NOT NULL,
    model                   TEXT    NOT NULL,
    continues_attempt_seq   INTEGER,
    continues_token_index   INTEGER,
    started_seq             INTEGER NOT NULL,
    started_at              INTEGER NOT NULL,
    status                  TEXT    NOT NULL DEFAULT 'running',
    finished_seq            INTEGER,
    finished_at             INTEGER,
    finish_reason           TEXT,
    token_count             INTEGER,
    answered_by             TEXT,
    input_tokens            INTEGER,
    output_tokens           INTEGER,
    reasoning_tokens        INTEGER,
    cached_input_tokens     INTEGER,
    failure_class           TEXT,
    failure_message         TEXT,
    failure_provider_status INTEGER,
    failure_retry_after_ms  INTEGER,
    PRIMARY KEY (request_id, attempt_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE llm_token_log (
    request_id  BLOB    NOT NULL,
    attempt_seq INTEGER NOT NULL,
    token_index INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    PRIMARY KEY (request_id, attempt_seq, token_index)
) STRICT, WITHOUT ROWID;

-- For reading in the order of events, and for finding gaps in it.
CREATE UNIQUE INDEX llm_token_log_seq ON llm_token_log (request_id, seq);

-- Records below `applied` of each server's log are in the tables above. Written in their transaction, always.
CREATE TABLE wal_positions (
    log_id  BLOB    NOT NULL PRIMARY KEY,
    applied INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
