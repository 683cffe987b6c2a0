-- What answers cost, in nano-dollars; what failed attempts consumed; who may stand in for whom: a JSON list of models,
-- empty for nobody, NULL where the configuration decides.
ALTER TABLE llm_requests
    ADD COLUMN fallback                   text,
    ADD COLUMN failed_input_tokens        bigint,
    ADD COLUMN failed_output_tokens       bigint,
    ADD COLUMN failed_reasoning_tokens    bigint,
    ADD COLUMN failed_cached_input_tokens bigint,
    ADD COLUMN cost_nano_usd              bigint;
ALTER TABLE llm_attempts ADD COLUMN cost_nano_usd bigint;

-- When the breaker changed, apart from when the provider was switched: servers tell the one, administrators the other.
ALTER TABLE provider_status ADD COLUMN breaker_changed_at timestamptz;
