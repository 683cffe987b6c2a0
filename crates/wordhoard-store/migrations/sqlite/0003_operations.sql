-- Who may call. The key itself is nowhere: it is random, and known by its SHA-256.
CREATE TABLE api_keys (
    key_id     BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    sha256     BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- What all servers on this database are to know of a provider. One that has no row is enabled and closed.
CREATE TABLE provider_status (
    provider   TEXT    NOT NULL PRIMARY KEY,
    enabled    INTEGER NOT NULL DEFAULT 1,
    breaker    TEXT    NOT NULL DEFAULT 'closed',
    changed_at INTEGER NOT NULL
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

-- For the figures of health, which are read from these alone.
CREATE INDEX llm_requests_counted ON llm_requests (created_at, status, token_count);
CREATE INDEX llm_attempts_counted ON llm_attempts (provider, started_at, finished_at);
