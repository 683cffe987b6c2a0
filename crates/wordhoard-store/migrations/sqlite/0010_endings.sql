-- The provider's own word for why it stopped, where the one of finish_reason is another; and what of the usage has prices of its
-- own (cache writes, sound, images, service tier), as a JSON object. NULL where nothing is told.
ALTER TABLE llm_attempts ADD COLUMN provider_finish_reason TEXT;
ALTER TABLE llm_attempts ADD COLUMN usage_details TEXT;
