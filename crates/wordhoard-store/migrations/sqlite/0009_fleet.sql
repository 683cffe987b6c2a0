-- Who each server is, and how it went: 'stopped' (it goes on at its next start) or 'left' (it has ended all its requests).
ALTER TABLE servers ADD COLUMN address TEXT;
ALTER TABLE servers ADD COLUMN host TEXT;
ALTER TABLE servers ADD COLUMN version TEXT;
ALTER TABLE servers ADD COLUMN departure TEXT;
ALTER TABLE servers ADD COLUMN departed_at INTEGER;

-- A log that is retired takes nothing more; retired_by is the log of the server that closes its open requests.
ALTER TABLE wal_positions ADD COLUMN retired_at INTEGER;
ALTER TABLE wal_positions ADD COLUMN retired_by BLOB;
