-- Times are milliseconds since 1970 UTC, by this database's clock where a server says that it is there. Ids are the 16 bytes of a
-- UUIDv7. Names of kinds, statuses and failure classes are those of the wire.

-- One row for each prompt that was accepted.
CREATE TABLE llm_requests (
    request_id                 BLOB    NOT NULL PRIMARY KEY,
    log_id                     BLOB    NOT NULL,
    -- Whose it is: what keys have used is summed up from the requests.
    key_id                     BLOB,
    created_at                 INTEGER NOT NULL,
    status                     TEXT    NOT NULL DEFAULT 'running',
    prompt                     TEXT    NOT NULL,
    system_message             TEXT,
    max_tokens                 INTEGER,
    temperature                REAL,
    parameters                 TEXT    NOT NULL,
    lanes                      TEXT    NOT NULL,
    -- Who may stand in for whom: a JSON list of models, empty for nobody, NULL where the configuration decides.
    fallback                   TEXT,
    idempotency_key            TEXT,
    idempotency_sha256         BLOB,
    finished_at                INTEGER,
    event_count                INTEGER,
    lanes_completed            INTEGER,
    attempt_count              INTEGER,
    token_count                INTEGER,
    input_tokens               INTEGER,
    output_tokens              INTEGER,
    reasoning_tokens           INTEGER,
    cached_input_tokens        INTEGER,
    -- Of attempts that failed.
    failed_input_tokens        INTEGER,
    failed_output_tokens       INTEGER,
    failed_reasoning_tokens    INTEGER,
    failed_cached_input_tokens INTEGER,
    cost_nano_usd              INTEGER,
    -- When what the request said was erased. Its rows stay without it: what was used and what it cost still counts, and the check
    -- still finds every row.
    erased_at                  INTEGER
) STRICT;

CREATE INDEX llm_requests_running ON llm_requests (log_id, request_id) WHERE status = 'running';
CREATE INDEX llm_requests_idempotency ON llm_requests (idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;
-- For the check of what has changed lately.
CREATE INDEX llm_requests_finished ON llm_requests (finished_at, request_id) WHERE finished_at IS NOT NULL;
-- For the figures of health, which are read from this and from llm_attempts_counted alone.
CREATE INDEX llm_requests_counted ON llm_requests (created_at, status, token_count);
CREATE INDEX llm_requests_of_keys ON llm_requests (created_at) WHERE key_id IS NOT NULL;
CREATE INDEX llm_requests_by_key ON llm_requests (key_id, request_id) WHERE key_id IS NOT NULL;

-- One row for each call to a provider. A retry or a fallback is a call of its own.
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
    -- The provider's own word, where finish_reason is another.
    provider_finish_reason  TEXT,
    token_count             INTEGER,
    answered_by             TEXT,
    input_tokens            INTEGER,
    output_tokens           INTEGER,
    reasoning_tokens        INTEGER,
    cached_input_tokens     INTEGER,
    -- What of the usage has prices of its own (cache writes, sound, images, service tier), as a JSON object.
    usage_details           TEXT,
    cost_nano_usd           INTEGER,
    failure_class           TEXT,
    failure_message         TEXT,
    failure_provider_status INTEGER,
    failure_retry_after_ms  INTEGER,
    -- What else the provider said, for clients of its own dialect: its events behind the last piece, coded as those of the log, or the
    -- whole answer where it came as one document.
    rest_events             BLOB,
    rest_document           TEXT,
    PRIMARY KEY (request_id, attempt_seq)
) STRICT;

CREATE INDEX llm_attempts_counted ON llm_attempts (provider, started_at, finished_at);

-- One row for each run: consecutive pieces of one attempt that one transaction wrote. llm_token_log shows them one by one. An ordinary
-- table, as the two above: WITHOUT ROWID would keep only about 1 kB of a row on a page, and give the rest a page of its own.
CREATE TABLE llm_token_runs (
    request_id        BLOB    NOT NULL,
    attempt_seq       INTEGER NOT NULL,
    first_token_index INTEGER NOT NULL,
    token_count       INTEGER NOT NULL,
    first_seq         INTEGER NOT NULL,
    last_seq          INTEGER NOT NULL,
    -- When the first of them came.
    at                INTEGER NOT NULL,
    -- JSON arrays with one element for each token. Texts are as the provider sent them, but for NUL, which is written as U+FDD0
    -- followed by '0', and U+FDD0 itself, which is written twice.
    texts             TEXT    NOT NULL,
    -- One letter for each token: t text, r reasoning, c tool_call, f refusal, a annotation. NULL where all are text.
    kinds             TEXT,
    -- Behind first_seq; NULL where each seq is one more than the one before.
    seq_offsets       TEXT,
    -- Behind at; NULL where all came at once.
    at_offsets_ms     TEXT,
    -- The provider's events that the pieces stood in, for clients of its own dialect, coded as in the log; and their CRC-32C.
    events            BLOB,
    events_crc        INTEGER,
    PRIMARY KEY (request_id, attempt_seq, first_token_index)
) STRICT;

-- One row for each piece of an answer, as the provider sent it.
CREATE VIEW llm_token_log AS
SELECT run.request_id, run.attempt_seq, run.first_token_index + token.key AS token_index,
    run.first_seq + coalesce(json_extract(run.seq_offsets, '$[' || token.key || ']'), token.key) AS seq,
    run.at + coalesce(json_extract(run.at_offsets_ms, '$[' || token.key || ']'), 0) AS at,
    CASE coalesce(substr(run.kinds, token.key + 1, 1), 't')
        WHEN 't' THEN 'text' WHEN 'r' THEN 'reasoning' WHEN 'c' THEN 'tool_call' WHEN 'f' THEN 'refusal'
        WHEN 'a' THEN 'annotation' END AS kind,
    token.value AS text
FROM llm_token_runs AS run JOIN json_each(run.texts) AS token;

-- Records below `applied` of each server's log are in the tables above. Written in their transaction, always.
CREATE TABLE wal_positions (
    log_id          BLOB    NOT NULL PRIMARY KEY,
    applied         INTEGER NOT NULL,
    -- Requests up to this id may have rows that this log has lost: it was found shorter than what had been applied of it.
    doubted_through BLOB,
    -- Since when nothing more of this log is taken, and the log of the server that closes its open requests.
    retired_at      INTEGER,
    retired_by      BLOB
) STRICT, WITHOUT ROWID;

-- Which servers use this database, and when each last said so.
CREATE TABLE servers (
    log_id      BLOB    NOT NULL PRIMARY KEY,
    seen_at     INTEGER NOT NULL,
    address     TEXT,
    host        TEXT,
    version     TEXT,
    -- stopped: it goes on at its next start; left: it has ended all its requests. Empty while it runs, and after a crash.
    departure   TEXT,
    departed_at INTEGER
) STRICT, WITHOUT ROWID;

-- Who may call. The key itself is nowhere: it is random, and known by its SHA-256.
CREATE TABLE api_keys (
    key_id     BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    sha256     BLOB    NOT NULL UNIQUE,
    -- Keys of one group see each other's requests.
    group_name TEXT,
    -- What the key may use, as JSON; NULL where nothing is limited.
    limits     TEXT,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- What all servers on this database are to know of a provider. One that has no row is enabled and closed. The breaker's time is
-- apart from the switch's: servers tell the one, administrators the other.
CREATE TABLE provider_status (
    provider           TEXT    NOT NULL PRIMARY KEY,
    enabled            INTEGER NOT NULL DEFAULT 1,
    changed_at         INTEGER NOT NULL,
    breaker            TEXT    NOT NULL DEFAULT 'closed',
    breaker_changed_at INTEGER
) STRICT, WITHOUT ROWID;

-- When each kind of maintenance last went well, and up to when what it looked at was recorded.
CREATE TABLE maintenance (
    name          TEXT    NOT NULL PRIMARY KEY,
    finished_at   INTEGER NOT NULL,
    covered_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each run of a maintenance job, by whichever server.
CREATE TABLE maintenance_runs (
    run_id      BLOB    NOT NULL PRIMARY KEY,
    job         TEXT    NOT NULL,
    log_id      BLOB    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    -- running, finished or failed
    outcome     TEXT    NOT NULL,
    -- JSON: what it did, or {"error": …}
    detail      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX maintenance_runs_job ON maintenance_runs (job, started_at);
