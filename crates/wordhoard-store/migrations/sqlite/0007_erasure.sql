-- When what a request said was erased, because somebody asked for that. Its rows stay without it: what was used and what it
-- cost still counts, and the check still finds every row.
ALTER TABLE llm_requests ADD COLUMN erased_at INTEGER;
