//! Removing what is old: in slices, so that nobody who writes or reads waits for long.

use std::time::Duration;

use async_trait::async_trait;
use wordhoard_model::{RequestId, Timestamp};

use crate::Error;
use crate::check::lowest_id_at;

/// The name under which it is recorded in the table `maintenance` up to when requests were pruned.
pub(crate) const PRUNED: &str = "pruned";

/// What is old enough to be pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneRange {
    /// Requests that were accepted before this moment.
    pub before: Timestamp,
    /// But none that runs, or has ended at or after this moment: what ends while it is pruned would go in part.
    pub ended_before: Timestamp,
}

impl PruneRange {
    /// Ids below this one are in the range.
    pub(crate) fn end(&self) -> RequestId {
        lowest_id_at(self.before)
    }
}

/// How much there is to prune.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Requests.
    pub requests: u64,
    /// Their attempts.
    pub attempts: u64,
    /// Their tokens, as the requests have them recorded.
    pub tokens: u64,
}

/// The tables, in the order in which they are pruned: a request is the last that is gone, so that whatever is left
/// half done is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrunedTable {
    /// `llm_token_runs`.
    TokenRuns,
    /// `llm_attempts`.
    Attempts,
    /// `llm_requests`.
    Requests,
}

/// A row's place in its table: request, attempt, first index, as far as the table has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace(pub(crate) RequestId, pub(crate) i64, pub(crate) i64);

impl RowPlace {
    /// Before all rows.
    pub fn first() -> Self {
        Self::start_of(RequestId::from_bytes([0; 16]))
    }

    pub(crate) fn start_of(id: RequestId) -> Self {
        Self(id, 0, 0)
    }
}

/// A part of a prune, small enough for one short transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneSlice {
    /// What is old enough.
    pub range: PruneRange,
    /// Of which table.
    pub table: PrunedTable,
    /// From this row on: [`Pruned::next`] of the slice before.
    pub from: RowPlace,
    /// At most so many rows are looked at.
    pub rows: usize,
}

/// What a slice has removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that are gone.
    pub rows: u64,
    /// Tokens that the removed requests had, by what was recorded of them.
    pub recorded_tokens: u64,
    /// How long its transaction took.
    pub elapsed: Duration,
    /// Where the next slice begins; none at the end.
    pub next: Option<RowPlace>,
}

/// What retention needs of a database.
#[async_trait]
pub trait Upkeep {
    /// How much there is to prune. Changes nothing.
    async fn prunable(&self, range: PruneRange) -> Result<Prunable, Error>;

    /// Up to when requests were, or are being, pruned. A request that was accepted before and is not there is no gap.
    async fn pruned_before(&self) -> Result<Option<Timestamp>, Error>;

    /// Records that requests accepted before a moment are being pruned, and does so durably; never moves it back.
    /// Nothing may be pruned that this does not cover.
    async fn raise_pruned(&self, before: Timestamp, at: Timestamp) -> Result<(), Error>;

    /// Removes whole partitions of tokens that have nothing but what may go. One that is in use for too long stays,
    /// and is pruned row by row. Gives how many went.
    async fn drop_partitions(&self, range: PruneRange) -> Result<u64, Error>;

    /// Removes the rows of a slice, in a transaction of its own.
    async fn prune(&self, slice: PruneSlice) -> Result<Pruned, Error>;
}

pub(crate) mod statements {
    //! In the SQL that both backends share. Requests that run stay, and those that have ended too lately.

    use super::PrunedTable;

    /// The two statements of a table. Their first parameters are the place where the slice begins, as far as the table
    /// has it.
    pub(crate) struct Of {
        /// How many parts a place has.
        pub(crate) parts: usize,
        /// Then the end of the range, then how many rows: the first row behind the slice.
        pub(crate) boundary: &'static str,
        /// Then the place where the slice ends, then the moment before which a request must have ended.
        pub(crate) delete: &'static str,
    }

    impl Of {
        pub(crate) const fn table(table: PrunedTable) -> &'static Self {
            match table {
                PrunedTable::TokenRuns => &TOKEN_RUNS,
                PrunedTable::Attempts => &ATTEMPTS,
                PrunedTable::Requests => &REQUESTS,
            }
        }
    }

    pub(crate) const TOKEN_RUNS: Of = Of {
        parts: 3,
        boundary: "SELECT request_id, attempt_seq, first_token_index FROM llm_token_runs
            WHERE (request_id, attempt_seq, first_token_index) >= ($1, $2, $3) AND request_id < $4
            ORDER BY request_id, attempt_seq, first_token_index LIMIT 1 OFFSET $5",
        delete: "DELETE FROM llm_token_runs AS old
            WHERE (request_id, attempt_seq, first_token_index) >= ($1, $2, $3)
                AND (request_id, attempt_seq, first_token_index) < ($4, $5, $6)
                AND NOT EXISTS (SELECT 1 FROM llm_requests AS kept WHERE kept.request_id = old.request_id
                    AND (kept.status = 'running' OR kept.finished_at >= $7))",
    };

    pub(crate) const ATTEMPTS: Of = Of {
        parts: 2,
        boundary: "SELECT request_id, attempt_seq FROM llm_attempts
            WHERE (request_id, attempt_seq) >= ($1, $2) AND request_id < $3
            ORDER BY request_id, attempt_seq LIMIT 1 OFFSET $4",
        delete: "DELETE FROM llm_attempts AS old
            WHERE (request_id, attempt_seq) >= ($1, $2) AND (request_id, attempt_seq) < ($3, $4)
                AND NOT EXISTS (SELECT 1 FROM llm_requests AS kept WHERE kept.request_id = old.request_id
                    AND (kept.status = 'running' OR kept.finished_at >= $5))",
    };

    pub(crate) const REQUESTS: Of = Of {
        parts: 1,
        boundary: "SELECT request_id FROM llm_requests WHERE request_id >= $1 AND request_id < $2
            ORDER BY request_id LIMIT 1 OFFSET $3",
        delete: "DELETE FROM llm_requests WHERE request_id >= $1 AND request_id < $2
                AND status <> 'running' AND finished_at < $3
            RETURNING coalesce(token_count, 0)",
    };

    /// Of the requests below the id `$1` that ended before `$2`: how many, and their tokens.
    pub(crate) const COUNT_REQUESTS: &str = "SELECT count(*), CAST(coalesce(sum(token_count), 0) AS BIGINT)
        FROM llm_requests WHERE request_id < $1 AND status <> 'running' AND finished_at < $2";

    /// Their attempts, and those of requests that are gone.
    pub(crate) const COUNT_ATTEMPTS: &str = "SELECT count(*) FROM llm_attempts AS old WHERE request_id < $1
            AND NOT EXISTS (SELECT 1 FROM llm_requests AS kept WHERE kept.request_id = old.request_id
                AND (kept.status = 'running' OR kept.finished_at >= $2))";
}
