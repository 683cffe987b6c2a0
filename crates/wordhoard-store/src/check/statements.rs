//! The queries of the check, in the SQL that both backends share.
//!
//! `$1` and `$2` are the ends of a span of ids (both included). Every query reads its span in the order of an index
//! and gives few rows: none of them grows with what lies outside of the span.

/// The newest ids of a span, at most `$3`. Attempts are asked too, so that a slice stays small where many rows of
/// `llm_requests` are lost.
pub(crate) const NEWEST: &str = "
SELECT request_id FROM (
    SELECT request_id FROM (
        SELECT request_id FROM llm_requests
        WHERE request_id BETWEEN $1 AND $2 ORDER BY request_id DESC LIMIT $3) AS requests
    UNION
    SELECT request_id FROM (
        SELECT DISTINCT request_id FROM llm_attempts
        WHERE request_id BETWEEN $1 AND $2 ORDER BY request_id DESC LIMIT $3) AS attempts
) AS newest ORDER BY request_id DESC LIMIT $3";

/// See [`super::RequestRow`].
pub(crate) const REQUESTS: &str = "
SELECT request_id, status = 'running', finished_at IS NOT NULL, event_count, token_count,
    attempt_count, lanes_completed
FROM llm_requests WHERE request_id BETWEEN $1 AND $2";

/// See [`super::AttemptRow`].
pub(crate) const ATTEMPTS: &str = "
SELECT request_id, attempt_seq, CAST(lane AS BIGINT), status = 'running', status = 'completed',
    finished_at IS NOT NULL, started_seq, finished_seq, token_count
FROM llm_attempts WHERE request_id BETWEEN $1 AND $2";

/// See [`super::RunNumbers`]; in the order of requests, attempts and indexes. `$is_sound` is whether the arrays of a row have an element for
/// each token.
macro_rules! run_numbers {
    ($is_sound:literal) => {
        concat!(
            "SELECT request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, seq_offsets, ",
            $is_sound,
            ", events, events_crc FROM llm_token_runs WHERE request_id BETWEEN $1 AND $2
            ORDER BY request_id, attempt_seq, first_token_index"
        )
    };
}
pub(crate) use run_numbers;
