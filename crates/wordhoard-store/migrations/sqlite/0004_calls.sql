-- What answers cost, in nano-dollars; what failed attempts consumed; who may stand in for whom: a JSON list of models,
-- empty for nobody, NULL where the configuration decides.
ALTER TABLE llm_requests ADD COLUMN fallback TEXT;
ALTER TABLE llm_requests ADD COLUMN failed_input_tokens INTEGER;
ALTER TABLE llm_requests ADD COLUMN failed_output_tokens INTEGER;
ALTER TABLE llm_requests ADD COLUMN failed_reasoning_tokens INTEGER;
ALTER TABLE llm_requests ADD COLUMN failed_cached_input_tokens INTEGER;
ALTER TABLE llm_requests ADD COLUMN cost_nano_usd INTEGER;
ALTER TABLE llm_attempts ADD COLUMN cost_nano_usd INTEGER;

-- When the breaker changed, apart from when the provider was switched: servers tell the one, administrators the other.
ALTER TABLE provider_status ADD COLUMN breaker_changed_at INTEGER;
