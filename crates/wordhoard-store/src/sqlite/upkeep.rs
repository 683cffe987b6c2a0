use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params_from_iter};
use wordhoard_model::{RequestId, Timestamp};

use super::SqliteStore;
use super::rows::{signed, unsigned};
use crate::Error;
use crate::upkeep::statements::{self, Of};
use crate::upkeep::{PRUNED, Prunable, PruneRange, PruneSlice, Pruned, PrunedTable, RowPlace, Upkeep};

#[async_trait]
impl Upkeep for SqliteStore {
    async fn prunable(&self, range: PruneRange) -> Result<Prunable, Error> {
        self.read(move |snapshot| prunable(snapshot, range)).await
    }

    async fn pruned_before(&self) -> Result<Option<Timestamp>, Error> {
        self.read(pruned_before).await
    }

    async fn raise_pruned(&self, before: Timestamp, at: Timestamp) -> Result<(), Error> {
        self.writer.run(move |connection| raise(connection, before, at)).await
    }

    /// SQLite has no partitions.
    async fn drop_partitions(&self, _: PruneRange) -> Result<u64, Error> {
        Ok(0)
    }

    async fn prune(&self, slice: PruneSlice) -> Result<Pruned, Error> {
        let pruned = self.writer.run(move |connection| prune(connection, &slice)).await?;
        // There is one writer. Others have it for as long again.
        tokio::time::sleep(pruned.elapsed).await;
        if pruned.next.is_none() {
            self.give_back().await?;
        }
        Ok(pruned)
    }
}

/// Free pages that are given back in one turn of the writer: 4 MiB.
const PAGES_GIVEN_BACK: u32 = 1_024;

impl SqliteStore {
    /// Makes the file as small as what is in it, in short turns. What is left after a stop is given back by the next prune.
    async fn give_back(&self) -> Result<(), Error> {
        loop {
            let (left, elapsed) = self.writer.run(|connection| give_back_some(connection)).await?;
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(elapsed).await;
        }
    }
}

/// How many free pages are left, and how long it took. None are left where the file cannot give any back, since it was made without `auto_vacuum`.
fn give_back_some(connection: &Connection) -> Result<(i64, Duration), Error> {
    let started = Instant::now();
    let free = |connection: &Connection| connection.query_row("PRAGMA freelist_count", [], |row| row.get(0));
    let before: i64 = free(connection)?;
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))?;
    let left: i64 = free(connection)?;
    Ok((if left < before { left } else { 0 }, started.elapsed()))
}

fn prunable(snapshot: &Transaction<'_>, range: PruneRange) -> Result<Prunable, Error> {
    let (end, ended) = (range.end(), range.ended_before.as_millis());
    let values = (end.as_bytes(), ended);
    let (requests, tokens) = snapshot
        .prepare_cached(statements::COUNT_REQUESTS)?
        .query_row(values, |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
    let attempts = snapshot
        .prepare_cached(statements::COUNT_ATTEMPTS)?
        .query_row(values, |row| Ok(unsigned(row.get(0)?)))?;
    Ok(Prunable { requests, attempts, tokens })
}

pub(super) fn pruned_before(snapshot: &Transaction<'_>) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT covered_until FROM maintenance WHERE name = ?1";
    let millis = snapshot.prepare_cached(sql)?.query_row([PRUNED], |row| row.get(0)).optional()?;
    Ok(millis.map(Timestamp::from_millis))
}

/// Need not survive a loss of power by itself: what is deleted behind it comes later in the same log of SQLite, so that
/// there is no deletion without it.
fn raise(connection: &Connection, before: Timestamp, at: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO maintenance (name, finished_at, covered_until) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET finished_at = excluded.finished_at,
                   covered_until = MAX(covered_until, excluded.covered_until)";
    connection.prepare_cached(sql)?.execute((PRUNED, at.as_millis(), before.as_millis()))?;
    Ok(())
}

fn prune(connection: &mut Connection, slice: &PruneSlice) -> Result<Pruned, Error> {
    let started = Instant::now();
    let of = Of::table(slice.table);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let next = boundary(&transaction, of, slice)?;
    let (rows, recorded_tokens) = {
        let mut values = place(slice.from, of.parts);
        values.extend(place(next.unwrap_or(RowPlace::start_of(slice.range.end())), of.parts));
        values.push(slice.range.ended_before.as_millis().into());
        let mut delete = transaction.prepare_cached(of.delete)?;
        if slice.table == PrunedTable::Requests {
            let counts = delete.query_map(params_from_iter(values), |row| row.get::<_, i64>(0))?;
            counts.into_iter().try_fold((0, 0), |(rows, tokens), count| {
                Ok::<_, rusqlite::Error>((rows + 1, tokens + unsigned(count?)))
            })?
        } else {
            (delete.execute(params_from_iter(values))? as u64, 0)
        }
    };
    transaction.commit()?;
    Ok(Pruned { rows, recorded_tokens, elapsed: started.elapsed(), next })
}

/// The first row behind the slice.
fn boundary(
    transaction: &Transaction<'_>,
    of: &Of,
    slice: &PruneSlice,
) -> Result<Option<RowPlace>, rusqlite::Error> {
    let mut values = place(slice.from, of.parts);
    values.push(slice.range.end().as_bytes().to_vec().into());
    values.push(signed(slice.rows.max(1) as u64).into());
    let part = |row: &Row<'_>, column| if column < of.parts { row.get(column) } else { Ok(0) };
    transaction
        .prepare_cached(of.boundary)?
        .query_row(params_from_iter(values), |row| {
            Ok(RowPlace(RequestId::from_bytes(row.get(0)?), part(row, 1)?, part(row, 2)?))
        })
        .optional()
}

fn place(RowPlace(id, attempt_seq, token_index): RowPlace, parts: usize) -> Vec<Value> {
    let mut values = vec![Value::from(id.as_bytes().to_vec()), attempt_seq.into(), token_index.into()];
    values.truncate(parts);
    values
}

#[cfg(test)]
mod tests {
    use super::super::migrate;
    use super::*;

    /// However much there is behind it, a slice reads its own rows only.
    #[test]
    fn a_slice_reads_no_table_from_end_to_end() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::run(&mut connection, Timestamp::from_millis(1)).unwrap();
        for of in [&statements::TOKEN_RUNS, &statements::ATTEMPTS, &statements::REQUESTS] {
            for sql in [of.boundary, of.delete] {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let values = vec![rusqlite::types::Null; statement.parameter_count()];
                let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
                let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
                let in_order = steps[0].starts_with("SEARCH") && steps[0].contains("request_id<?");
                assert!(in_order || steps[0].contains(")<(?"), "{sql}: {steps:?}");
                assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
            }
        }
    }
}
