CREATE TEMP TRIGGER delete_token INSTEAD OF DELETE ON main.llm_token_log BEGIN
    INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds)
        SELECT token.request_id, token.attempt_seq, token.token_index, 1, token.seq, token.seq, token.at, json_array(token.text),
            substr(run.kinds, token.token_index - run.first_token_index + 1, 1)
        FROM main.llm_token_log AS token JOIN main.llm_token_runs AS run
            ON run.request_id = token.request_id AND run.attempt_seq = token.attempt_seq
        WHERE token.request_id = OLD.request_id AND token.attempt_seq = OLD.attempt_seq
            AND OLD.token_index >= run.first_token_index AND OLD.token_index < run.first_token_index + run.token_count
            AND token.token_index > run.first_token_index AND token.token_index < run.first_token_index + run.token_count;
    UPDATE llm_token_runs SET token_count = 1, last_seq = first_seq, texts = json_array(json_extract(texts, '$[0]')),
            kinds = substr(kinds, 1, 1), seq_offsets = NULL, at_offsets_ms = NULL, events = NULL, events_crc = NULL
        WHERE request_id = OLD.request_id AND attempt_seq = OLD.attempt_seq AND token_count > 1
            AND OLD.token_index >= first_token_index AND OLD.token_index < first_token_index + token_count;
    DELETE FROM llm_token_runs WHERE request_id = OLD.request_id AND attempt_seq = OLD.attempt_seq
        AND first_token_index = OLD.token_index;
END;

CREATE TEMP TRIGGER insert_token INSTEAD OF INSERT ON main.llm_token_log BEGIN
    INSERT INTO llm_token_runs (request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds)
        VALUES (NEW.request_id, NEW.attempt_seq, NEW.token_index, 1, NEW.seq, NEW.seq, NEW.at, json_array(NEW.text),
            CASE NEW.kind WHEN 'text' THEN NULL WHEN 'refusal' THEN 'f' WHEN 'tool_call' THEN 'c'
                ELSE substr(NEW.kind, 1, 1) END);
END;

CREATE TEMP TRIGGER update_token INSTEAD OF UPDATE ON main.llm_token_log BEGIN
    DELETE FROM llm_token_log WHERE request_id = OLD.request_id AND attempt_seq = OLD.attempt_seq
        AND token_index = OLD.token_index;
    INSERT INTO llm_token_log (request_id, attempt_seq, token_index, seq, at, kind, text)
        VALUES (NEW.request_id, NEW.attempt_seq, NEW.token_index, NEW.seq, NEW.at, NEW.kind, NEW.text);
END;
