-- Who each server is, and how it went.
ALTER TABLE servers
    ADD COLUMN address     text,
    ADD COLUMN host        text,
    ADD COLUMN version     text,
    ADD COLUMN departure   text,
    ADD COLUMN departed_at timestamptz;

-- Of servers from before nobody knows how they went. Whoever is long gone and has left nothing open is no loss.
UPDATE servers SET departure = 'left', departed_at = seen_at
WHERE seen_at < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT FROM llm_requests AS r WHERE r.log_id = servers.log_id AND r.status = 'running');

-- A log that is retired takes nothing more. The mark stands beside the position, so that the lock of the one is the lock of both.
ALTER TABLE wal_positions
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN retired_by bytea;

COMMENT ON COLUMN servers.departure IS 'stopped: it goes on at its next start; left: it has ended all its requests. Empty while it runs, and after a crash.';
COMMENT ON COLUMN wal_positions.retired_at IS 'Since when nothing more of this log is taken.';
COMMENT ON COLUMN wal_positions.retired_by IS 'The log of the server that closes its open requests; empty where none has taken that on yet.';
