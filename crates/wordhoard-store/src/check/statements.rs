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

/// The first and the last token of each attempt, and those that do not follow the one before them. See
/// [`super::TokenSeam`].
pub(crate) const TOKEN_SEAMS: &str = "
SELECT request_id, attempt_seq, token_index, seq, previous_index, previous_seq, next_index IS NULL
FROM (
    SELECT request_id, attempt_seq, token_index, seq, LAG(token_index) OVER run AS previous_index,
        LAG(seq) OVER run AS previous_seq, LEAD(token_index) OVER run AS next_index
    FROM llm_token_log WHERE request_id BETWEEN $1 AND $2
    WINDOW run AS (PARTITION BY request_id, attempt_seq ORDER BY token_index)
) AS runs
WHERE previous_index IS NULL OR next_index IS NULL OR token_index <> previous_index + 1 OR seq <= previous_seq
ORDER BY request_id, attempt_seq, token_index";

/// The numbers (`seq`) of tokens that do not follow the one before them within their request. Between them lie the
/// numbers of the events that are not tokens. See [`super::NumberSeam`].
pub(crate) const NUMBER_SEAMS: &str = "
SELECT request_id, seq, previous FROM (
    SELECT request_id, seq, LAG(seq) OVER (PARTITION BY request_id ORDER BY seq) AS previous
    FROM llm_token_log WHERE request_id BETWEEN $1 AND $2
) AS numbers
WHERE previous IS NULL OR seq <> previous + 1
ORDER BY request_id, seq";
