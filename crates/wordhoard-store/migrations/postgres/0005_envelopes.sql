-- What a provider's events said around the pieces of an answer, for clients of the provider's own dialect; NULL where nothing
-- new was said, and where nobody asked in that dialect.
ALTER TABLE llm_token_log ADD COLUMN envelope text;
ALTER TABLE llm_attempts ADD COLUMN envelope text;
