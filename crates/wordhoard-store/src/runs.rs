//! Tokens as SQL holds them: one row for each run of consecutive tokens of an attempt. What both backends share; see
//! docs/decisions/0026-frames-and-runs.md.

mod frames;
mod gather;
mod row;
mod standing;

pub(crate) use gather::{Reach, TokenOfBatch, is_in_order, reaches, runs, tokens_of};
pub(crate) use row::{RunPlace, RunRow, is_sum_of};
pub(crate) use standing::{AttemptRows, Examined, Standing};

/// The columns of `llm_token_runs`, in the order in which both backends write and read them.
macro_rules! run_columns {
    () => {
        "request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds, seq_offsets,
            at_offsets_ms, events, events_crc"
    };
}
pub(crate) use run_columns;

/// Behind a list of columns of `llm_token_runs`: the rows of the request `$1` that have a token whose `seq` is at least `$2` and below `$3`.
///
/// They are found by the key, which has no `seq`: a token of an attempt has a `token_index` below the difference between its `seq` and
/// that of the attempt's start. From there backwards the first row that begins at or before `$2` is near, at once where no other attempt ran
/// at the time.
///
/// To SQLite, `CROSS JOIN` says that the attempts come first.
macro_rules! from_runs_between {
    () => {
        " FROM (SELECT attempt_seq AS of_attempt, started_seq FROM llm_attempts
            WHERE request_id = $1 AND (finished_seq IS NULL OR finished_seq > $2) AND started_seq < $3) AS attempt
        CROSS JOIN llm_token_runs
        WHERE request_id = $1 AND attempt_seq = of_attempt AND first_token_index >= coalesce((SELECT before.first_token_index FROM llm_token_runs AS before
                WHERE before.request_id = $1 AND before.attempt_seq = of_attempt AND before.first_seq <= $2
                    AND before.first_token_index < $2 - started_seq
                ORDER BY before.first_token_index DESC LIMIT 1), 0)
            AND first_token_index < $3 - started_seq AND first_seq < $3 AND last_seq >= $2"
    };
}
pub(crate) use from_runs_between;
