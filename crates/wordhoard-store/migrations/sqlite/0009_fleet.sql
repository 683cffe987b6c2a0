-- Who each server is, and how it went: 'stopped' (it goes on at its next start) or 'left' (it has ended all its requests).
ALTER TABLE servers ADD COLUMN address TEXT;
ALTER TABLE servers ADD COLUMN host TEXT;
ALTER TABLE servers ADD COLUMN version TEXT;
ALTER TABLE servers ADD COLUMN departure TEXT;
ALTER TABLE servers ADD COLUMN departed_at INTEGER;

-- Of servers from before nobody knows how they went. Whoever is long gone and has left nothing open is no loss.
UPDATE servers SET departure = 'left', departed_at = seen_at
WHERE seen_at < CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) - 86400000
    AND NOT EXISTS (SELECT 1 FROM llm_requests AS r WHERE r.log_id = servers.log_id AND r.status = 'running');

-- A log that is retired takes nothing more; retired_by is the log of the server that closes its open requests.
ALTER TABLE wal_positions ADD COLUMN retired_at INTEGER;
ALTER TABLE wal_positions ADD COLUMN retired_by BLOB;
