//! Removing requests that are too old: partitions first where SQL has them, then rows, in slices that are so small that
//! nobody waits for one. Runs beside the live traffic, in a server or from the command line.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use wordhoard_model::Timestamp;
use wordhoard_store::{Error, PruneRange, PruneSlice, PrunedTable, RowPlace, Store};

/// The shortest time that requests can be kept.
pub const SHORTEST_RETENTION_DAYS: u32 = 1;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Requests that have ended since then stay for now, however old they are. More than clocks of servers can differ.
const ENDED_LATELY_MS: i64 = 60 * 60 * 1_000;
/// How long a transaction shall take; slices grow and shrink towards it. A disk that is slow for once makes one take
/// several times as long.
const SLICE_TARGET: Duration = Duration::from_millis(50);
const SLICE_ROWS: RangeInclusive<usize> = 50..=10_000;
const FIRST_SLICE_ROWS: usize = 200;

/// What a prune has removed, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneReport {
    /// Requests that were accepted before this moment were old enough.
    pub before: Timestamp,
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// Requests.
    pub requests: u64,
    /// Their attempts.
    pub attempts: u64,
    /// Their tokens, as the requests had them recorded.
    pub tokens: u64,
    /// Partitions of tokens that were dropped whole.
    pub partitions: u64,
    /// How long that took.
    pub partitions_ms: u64,
    /// Transactions that removed rows.
    pub transactions: u64,
    /// How long the longest of them took.
    pub longest_transaction_ms: u64,
    /// How long it took in all.
    pub elapsed_ms: u64,
}

/// Which requests are old enough `now`, if they are kept for so many days.
fn range(now: Timestamp, retention_days: u32) -> PruneRange {
    let days = i64::from(retention_days.max(SHORTEST_RETENTION_DAYS));
    let before = Timestamp::from_millis(now.as_millis().saturating_sub(days * DAY_MS).max(0));
    PruneRange { before, ended_before: Timestamp::from_millis(now.as_millis() - ENDED_LATELY_MS) }
}

impl PruneReport {
    fn new(range: PruneRange, dry_run: bool) -> Self {
        Self {
            before: range.before,
            dry_run,
            requests: 0,
            attempts: 0,
            tokens: 0,
            partitions: 0,
            partitions_ms: 0,
            transactions: 0,
            longest_transaction_ms: 0,
            elapsed_ms: 0,
        }
    }
}

/// Tells what [`prune`] would remove. Changes nothing.
///
/// # Errors
/// Where SQL cannot be asked.
pub async fn prunable(store: &dyn Store, now: Timestamp, retention_days: u32) -> Result<PruneReport, Error> {
    let started = Instant::now();
    let range = range(now, retention_days);
    let found = store.prunable(range).await?;
    Ok(PruneReport {
        requests: found.requests,
        attempts: found.attempts,
        tokens: found.tokens,
        elapsed_ms: started.elapsed().as_millis() as u64,
        ..PruneReport::new(range, true)
    })
}

/// Removes the requests that are older, except for those that run. Whatever it has not done when it is dropped, or SQL
/// goes away, the next one does.
///
/// # Errors
/// Where SQL cannot be asked or written.
pub async fn prune(store: &dyn Store, now: Timestamp, retention_days: u32) -> Result<PruneReport, Error> {
    let started = Instant::now();
    let range = range(now, retention_days);
    let mut report = PruneReport::new(range, false);
    // First of all: whoever finds something gone has to find this.
    store.raise_pruned(range.before, now).await?;
    let dropping = Instant::now();
    report.partitions = store.drop_partitions(range).await?;
    report.partitions_ms = dropping.elapsed().as_millis() as u64;
    let mut rows = FIRST_SLICE_ROWS;
    for table in [PrunedTable::TokenRuns, PrunedTable::Attempts, PrunedTable::Requests] {
        let mut from = RowPlace::first();
        loop {
            let pruned = store.prune(PruneSlice { range, table, from, rows }).await?;
            match table {
                PrunedTable::TokenRuns => {}
                PrunedTable::Attempts => report.attempts += pruned.rows,
                PrunedTable::Requests => {
                    report.requests += pruned.rows;
                    report.tokens += pruned.recorded_tokens;
                }
            }
            report.transactions += u64::from(pruned.rows > 0);
            let elapsed_ms = pruned.elapsed.as_millis() as u64;
            report.longest_transaction_ms = report.longest_transaction_ms.max(elapsed_ms);
            let Some(next) = pruned.next else { break };
            from = next;
            rows = next_rows(rows, pruned.elapsed);
        }
    }
    report.elapsed_ms = started.elapsed().as_millis() as u64;
    Ok(report)
}

/// How many rows the next slice has.
fn next_rows(rows: usize, took: Duration) -> usize {
    let next = if took > SLICE_TARGET {
        rows / 2
    } else if took < SLICE_TARGET / 2 {
        rows + rows / 2
    } else {
        rows
    };
    next.clamp(*SLICE_ROWS.start(), *SLICE_ROWS.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_the_time_that_they_take() {
        let mut rows = FIRST_SLICE_ROWS;
        for _ in 0..30 {
            rows = next_rows(rows, Duration::from_millis(1));
        }
        assert_eq!(rows, 10_000);
        assert_eq!(next_rows(rows, Duration::from_millis(30)), rows);
        for _ in 0..30 {
            rows = next_rows(rows, Duration::from_secs(1));
        }
        assert_eq!(rows, 50);
    }

    #[test]
    fn nothing_younger_than_a_day_is_ever_old_enough() {
        let now = Timestamp::from_millis(1_795_400_000_000);
        assert_eq!(range(now, 0), range(now, 1));
        assert_eq!(range(now, 1).before.as_millis(), now.as_millis() - DAY_MS);
        assert_eq!(range(Timestamp::from_millis(5), 36_500).before, Timestamp::from_millis(0));
    }
}
