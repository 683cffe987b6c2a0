-- What a key may use, as JSON; NULL where nothing is limited. And whose each request was: what keys have used is summed
-- up from the requests.
ALTER TABLE api_keys ADD COLUMN limits text;
ALTER TABLE llm_requests ADD COLUMN key_id uuid;
CREATE INDEX llm_requests_of_keys ON llm_requests (created_at) WHERE key_id IS NOT NULL;
