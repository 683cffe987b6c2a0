CREATE FUNCTION pg_temp.edit_token() RETURNS trigger LANGUAGE plpgsql AS $edit$
DECLARE
    run llm_token_runs;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT * INTO run FROM llm_token_runs WHERE request_id = OLD.request_id AND attempt_seq = OLD.attempt_seq
            AND first_token_index <= OLD.token_index ORDER BY first_token_index DESC LIMIT 1;
        DELETE FROM llm_token_runs WHERE request_id = OLD.request_id AND attempt_seq = OLD.attempt_seq
            AND first_token_index = run.first_token_index;
        INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds)
            SELECT OLD.request_id, OLD.attempt_seq, index, 1, seq, seq,
                run.at + coalesce(at_offset_ms, 0) * interval '1 millisecond', ARRAY[text],
                substr(run.kinds, place::integer, 1)
            FROM unnest(run.texts, run.seq_offsets, run.at_offsets_ms)
                WITH ORDINALITY AS token (text, seq_offset, at_offset_ms, place),
                LATERAL (SELECT run.first_token_index + place - 1 AS index,
                    run.first_seq + coalesce(seq_offset, place - 1) AS seq) AS numbered
            WHERE index <> OLD.token_index;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds)
        VALUES (NEW.request_id, NEW.attempt_seq, NEW.token_index, 1, NEW.seq, NEW.seq, NEW.at, ARRAY[NEW.text],
            CASE NEW.kind WHEN 'text' THEN NULL WHEN 'refusal' THEN 'f' WHEN 'tool_call' THEN 'c'
                ELSE substr(NEW.kind, 1, 1) END);
    RETURN NEW;
END $edit$;

CREATE TRIGGER edit_token INSTEAD OF INSERT OR UPDATE OR DELETE ON llm_token_log
    FOR EACH ROW EXECUTE FUNCTION pg_temp.edit_token();
