-- Keys of one group see each other's requests.
ALTER TABLE api_keys ADD COLUMN group_name TEXT;
CREATE INDEX llm_requests_by_key ON llm_requests (key_id, request_id) WHERE key_id IS NOT NULL;
