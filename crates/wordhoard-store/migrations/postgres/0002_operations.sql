CREATE TABLE api_keys (
    key_id     uuid        NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    scope      text        NOT NULL,
    sha256     bytea       NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE provider_status (
    provider   text        NOT NULL PRIMARY KEY,
    enabled    boolean     NOT NULL DEFAULT true,
    breaker    text        NOT NULL DEFAULT 'closed',
    changed_at timestamptz NOT NULL
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

-- For the figures of health, which are read from these alone.
CREATE INDEX llm_requests_counted ON llm_requests (created_at, status, token_count);
CREATE INDEX llm_attempts_counted ON llm_attempts (provider, started_at, finished_at);

COMMENT ON TABLE api_keys IS 'Who may call. The key itself is nowhere: it is random, and known by its SHA-256.';
COMMENT ON TABLE provider_status IS 'What all servers on this database are to know of a provider. One that has no row is enabled and closed.';
COMMENT ON TABLE maintenance_runs IS 'Each run of a maintenance job, by whichever server. outcome: running, finished or failed; detail: JSON.';
