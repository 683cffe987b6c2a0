use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wordhoard_model::Timestamp;

use super::partitions;
use super::rows::{count, get};
use super::session::Session;
use super::types::{Id, Moment};
use super::{PostgresStore, limits};
use crate::Error;
use crate::columns::{signed, unsigned};
use crate::upkeep::statements::{self, Of};
use crate::upkeep::{PRUNED, Prunable, PruneRange, PruneSlice, Pruned, PrunedTable, RowPlace, Upkeep};

/// For counting what there is to prune, and for removing partitions. Nobody waits for it.
const LIMIT: Duration = Duration::from_secs(60);
const BEGIN_COUNT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '55s'; SET LOCAL jit = off";
/// Everything lies in an index in the order in which it is removed. The planner would rather read tables whole, since
/// its statistics do not know of what was removed just now.
const BEGIN_SLICE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";
pub(super) const RAISE: &str = "INSERT INTO maintenance AS recorded (name, finished_at, covered_until)
    VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET finished_at = excluded.finished_at,
        covered_until = greatest(recorded.covered_until, excluded.covered_until)";

#[async_trait]
impl Upkeep for PostgresStore {
    async fn prunable(&self, range: PruneRange) -> Result<Prunable, Error> {
        self.limited(LIMIT, move |session| Box::pin(prunable(session, range))).await
    }

    async fn pruned_before(&self) -> Result<Option<Timestamp>, Error> {
        self.short(|session| Box::pin(pruned_before(session))).await
    }

    async fn raise_pruned(&self, before: Timestamp, at: Timestamp) -> Result<(), Error> {
        self.short(move |session| Box::pin(raise(session, before, at))).await
    }

    async fn drop_partitions(&self, range: PruneRange) -> Result<u64, Error> {
        self.limited(LIMIT, move |session| Box::pin(partitions::prune(session, range))).await
    }

    async fn prune(&self, slice: PruneSlice) -> Result<Pruned, Error> {
        self.limited(limits::READ, move |session| Box::pin(prune(session, slice))).await
    }
}

async fn prunable(session: &Session, range: PruneRange) -> Result<Prunable, Error> {
    session.client().batch_execute(BEGIN_COUNT).await?;
    let (end, ended) = (Id(range.end()), Moment::of(range.ended_before)?);
    let requests = session.query(statements::COUNT_REQUESTS, &[&end, &ended]).await?;
    let attempts = session.query(statements::COUNT_ATTEMPTS, &[&end, &ended]).await?;
    session.client().batch_execute("COMMIT").await?;
    let number = |rows: &[Row], column| rows.first().map_or(Ok(0), |row| count(row, column));
    Ok(Prunable {
        requests: number(&requests, 0)?,
        tokens: number(&requests, 1)?,
        attempts: number(&attempts, 0)?,
    })
}

pub(super) async fn pruned_before(session: &Session) -> Result<Option<Timestamp>, Error> {
    let rows = session.query(super::check::LAST_CLEAN, &[&PRUNED]).await?;
    rows.first().map(|row| Ok(get::<Moment>(row, 0)?.timestamp())).transpose()
}

async fn raise(session: &Session, before: Timestamp, at: Timestamp) -> Result<(), Error> {
    session.execute(RAISE, &[&PRUNED, &Moment::of(at)?, &Moment::of(before)?]).await?;
    Ok(())
}

async fn prune(session: &Session, slice: PruneSlice) -> Result<Pruned, Error> {
    let started = Instant::now();
    let of = Of::table(slice.table);
    session.client().batch_execute(BEGIN_SLICE).await?;
    let next = boundary(session, of, &slice).await?;
    let from = Place::of(slice.from);
    let until = Place::of(next.unwrap_or(RowPlace::start_of(slice.range.end())));
    let ended = Moment::of(slice.range.ended_before)?;
    let mut values = from.parts(of.parts);
    values.extend(until.parts(of.parts));
    values.push(&ended);
    let (rows, recorded_tokens) = if slice.table == PrunedTable::Requests {
        let gone = session.query(of.delete, &values).await?;
        let tokens: Result<Vec<i64>, Error> = gone.iter().map(|row| get(row, 0)).collect();
        (gone.len() as u64, tokens?.into_iter().map(unsigned).sum())
    } else {
        (session.execute(of.delete, &values).await?, 0)
    };
    session.client().batch_execute("COMMIT").await?;
    Ok(Pruned { rows, recorded_tokens, elapsed: started.elapsed(), next })
}

/// The first row behind the slice.
async fn boundary(session: &Session, of: &Of, slice: &PruneSlice) -> Result<Option<RowPlace>, Error> {
    let (from, end) = (Place::of(slice.from), Id(slice.range.end()));
    let rows = signed(slice.rows.max(1) as u64);
    let mut values = from.parts(of.parts);
    values.extend([&end as &(dyn ToSql + Sync), &rows]);
    let found = session.query(of.boundary, &values).await?;
    let part = |row: &Row, column| if column < of.parts { get(row, column) } else { Ok(0) };
    found.first().map(|row| Ok(RowPlace(get::<Id>(row, 0)?.0, part(row, 1)?, part(row, 2)?))).transpose()
}

/// A place as parameters.
struct Place {
    id: Id,
    attempt_seq: i64,
    token_index: i64,
}

impl Place {
    fn of(RowPlace(id, attempt_seq, token_index): RowPlace) -> Self {
        Self { id: Id(id), attempt_seq, token_index }
    }

    fn parts(&self, count: usize) -> Vec<&(dyn ToSql + Sync)> {
        let all: [&(dyn ToSql + Sync); 3] = [&self.id, &self.attempt_seq, &self.token_index];
        all.into_iter().take(count).collect()
    }
}
