-- Which servers use this database, and when each last said so (milliseconds since 1970 UTC, this database's clock).
CREATE TABLE servers (
    log_id  BLOB    NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When each kind of maintenance last went well, and up to when what it looked at was recorded.
CREATE TABLE maintenance (
    name          TEXT    NOT NULL PRIMARY KEY,
    finished_at   INTEGER NOT NULL,
    covered_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For the check of what has changed lately.
CREATE INDEX llm_requests_finished ON llm_requests (finished_at) WHERE finished_at IS NOT NULL;
