//! What is executed for each batch. Rows come as one array a column, so that a statement has as many parameters as
//! columns however many rows it takes.

#[cfg(test)]
use super::{position, tokens};

/// Every access is by a key, to tables that may be large: what the planner guesses of an array's length must never
/// lead it to read a whole one. And planning anew for each batch would cost more than it gains.
pub(super) const PLANNER: &str =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan";

pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
pub(super) const COMMIT: &str = "COMMIT";

pub(super) const REQUESTS: &str =
    "INSERT INTO llm_requests (request_id, log_id, created_at, prompt, system_message,
        max_tokens, temperature, parameters, lanes, idempotency_key, idempotency_sha256, fallback, key_id)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[],
        $7::double precision[], $8::text[], $9::text[], $10::text[], $11::bytea[], $12::text[], $13::uuid[])
    ON CONFLICT DO NOTHING";

pub(super) const ATTEMPTS: &str = "INSERT INTO llm_attempts (request_id, attempt_seq, lane, provider, model,
        continues_attempt_seq, continues_token_index, started_seq, started_at)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::timestamptz[])
    ON CONFLICT DO NOTHING";

pub(super) const ATTEMPT_ENDS: &str = "UPDATE llm_attempts AS attempt SET status = finished.status,
        finished_seq = finished.seq, finished_at = finished.at, finish_reason = finished.finish_reason,
        token_count = finished.token_count, answered_by = finished.answered_by, input_tokens = finished.input_tokens,
        output_tokens = finished.output_tokens, reasoning_tokens = finished.reasoning_tokens,
        cached_input_tokens = finished.cached_input_tokens, failure_class = finished.failure_class,
        failure_message = finished.failure_message, failure_provider_status = finished.failure_provider_status,
        failure_retry_after_ms = finished.failure_retry_after_ms, cost_nano_usd = finished.cost_nano_usd,
        rest_events = finished.rest_events, provider_finish_reason = finished.provider_finish_reason,
        usage_details = finished.usage_details, rest_document = finished.rest_document
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[],
        $15::integer[], $16::bigint[], $17::bigint[], $18::bytea[], $19::text[], $20::text[], $21::text[])
        AS finished (request_id, attempt_seq, status, seq, at, finish_reason, token_count, answered_by, input_tokens,
            output_tokens, reasoning_tokens, cached_input_tokens, failure_class, failure_message,
            failure_provider_status, failure_retry_after_ms, cost_nano_usd, rest_events,
            provider_finish_reason, usage_details, rest_document)
    WHERE attempt.request_id = finished.request_id AND attempt.attempt_seq = finished.attempt_seq
        AND attempt.finished_seq IS NULL";

pub(super) const REQUEST_ENDS: &str = "UPDATE llm_requests AS request SET status = finished.status,
        finished_at = finished.at, event_count = finished.event_count, lanes_completed = finished.lanes_completed,
        attempt_count = finished.attempt_count, token_count = finished.token_count,
        input_tokens = finished.input_tokens, output_tokens = finished.output_tokens,
        reasoning_tokens = finished.reasoning_tokens, cached_input_tokens = finished.cached_input_tokens,
        failed_input_tokens = finished.failed_input_tokens, failed_output_tokens = finished.failed_output_tokens,
        failed_reasoning_tokens = finished.failed_reasoning_tokens,
        failed_cached_input_tokens = finished.failed_cached_input_tokens, cost_nano_usd = finished.cost_nano_usd
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
        $15::bigint[], $16::bigint[])
        AS finished (request_id, status, at, event_count, lanes_completed, attempt_count, token_count, input_tokens,
            output_tokens, reasoning_tokens, cached_input_tokens, failed_input_tokens, failed_output_tokens,
            failed_reasoning_tokens, failed_cached_input_tokens, cost_nano_usd)
    WHERE request.request_id = finished.request_id AND request.event_count IS NULL";

/// Sent when the transaction is committed, and only then.
pub(super) const NOTIFY: &str = "SELECT pg_notify($1, encode($2, 'hex'))";

/// All of them, to be prepared by a test.
#[cfg(test)]
pub(in super::super) const ALL: &[&str] = &[
    position::APPLIED,
    position::KNOWN,
    position::LOCK,
    position::ADVANCE,
    position::REWIND,
    REQUESTS,
    ATTEMPTS,
    ATTEMPT_ENDS,
    REQUEST_ENDS,
    NOTIFY,
    tokens::INSERT_NEW,
    tokens::INSERT,
    tokens::COPY,
    tokens::REQUESTS,
    tokens::ATTEMPTS,
    tokens::OVERLAPPING,
];
