use std::time::Duration;

use futures_util::future::try_join_all;
use tokio_postgres::{Row, Statement};
use wordhoard_model::{RequestId, Timestamp};

use super::rows::get;
use super::session::{Params, Session};
use super::types::{Id, Moment};
use super::{runs, upkeep};
use crate::Error;
use crate::check::{
    AttemptRow, CheckSlice, Checked, Evidence, MAINTENANCE_NAME, RequestRow, RunNumbers, Selection, Span,
    statements,
};
use crate::columns::signed;
use crate::runs::is_sum_of;

/// For a slice. Nobody waits for it, and it locks nothing.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// One consistent state for all queries of a slice. The server gives up a little earlier than [`LIMIT`], and later
/// than it would for the short calls that the connection is made for.
///
/// All that is read lies in an index in the order in which it is needed. The planner, whose statistics know little of
/// the newest rows, would often rather sort (on disk), or read a table whole; that took 1.5 times the CPU.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '28s';
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
    SET LOCAL jit = off";

pub(super) const RUNS: &str = statements::run_numbers!(
    "cardinality(texts) = token_count AND array_position(texts, NULL) IS NULL
    AND coalesce(length(kinds), token_count) = token_count AND coalesce(kinds !~ '[^trcfa]', true)
    AND coalesce(cardinality(at_offsets_ms), token_count) = token_count"
);

/// The newest requests below the id `$1` that run or have ended at `$2` or later, at most `$3`.
pub(super) const OLDER: &str = "
SELECT request_id FROM (
    SELECT request_id FROM llm_requests WHERE request_id < $1 AND status = 'running'
    UNION
    SELECT request_id FROM llm_requests WHERE request_id < $1 AND finished_at >= $2
) AS older ORDER BY request_id DESC LIMIT $3";
pub(super) const LAST_CLEAN: &str = "SELECT covered_until FROM maintenance WHERE name = $1";
pub(super) const RECORD_CLEAN: &str = "INSERT INTO maintenance AS recorded (name, finished_at, covered_until)
    VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET finished_at = greatest(recorded.finished_at, excluded.finished_at),
        covered_until = greatest(recorded.covered_until, excluded.covered_until)";
pub(super) const KNOWN: &str = "SELECT request_id FROM llm_requests WHERE request_id = ANY ($1)";

/// If it fails, the connection is thrown away, and the transaction with it.
pub(super) async fn check(session: &Session, slice: CheckSlice) -> Result<Checked, Error> {
    session.client().batch_execute(BEGIN).await?;
    let selection = select(session, &slice).await?;
    let mut evidence = Evidence::default();
    let queries = session.statements([statements::REQUESTS, statements::ATTEMPTS, RUNS]).await?;
    let collected = try_join_all(selection.spans.iter().map(|span| collect(session, &queries, *span)));
    for [requests, attempts, runs] in collected.await? {
        each(&requests, request, |id, row| evidence.request(id, row))?;
        each(&attempts, attempt, |id, row| evidence.attempt(id, row))?;
        each(&runs, run_numbers, |id, run| evidence.run(id, &run))?;
    }
    let pruned_before = upkeep::pruned_before(session).await?;
    session.client().batch_execute("COMMIT").await?;
    Ok(evidence.judge(selection.next, pruned_before))
}

async fn select(session: &Session, slice: &CheckSlice) -> Result<Selection, Error> {
    let mut newest = Vec::new();
    if let Some(Span { low, high }) = slice.reach() {
        let limit = signed(slice.limit() as u64);
        newest = ids(&session.query(statements::NEWEST, &[&Id(low), &Id(high), &limit]).await?)?;
    }
    let mut older = Vec::new();
    if let Some(chosen) = slice.older(&newest) {
        let (since, limit) = (Moment::of(chosen.since)?, signed(chosen.limit as u64));
        older = ids(&session.query(OLDER, &[&Id(chosen.below), &since, &limit]).await?)?;
    }
    Ok(Selection::new(slice, &newest, &older))
}

/// The queries of all spans are under way together; the server answers them one after the other.
async fn collect(session: &Session, queries: &[Statement; 3], span: Span) -> Result<[Vec<Row>; 3], Error> {
    let (client, low, high) = (session.client(), Id(span.low), Id(span.high));
    let [requests, attempts, runs] = queries;
    let ends: Params<'_> = &[&low, &high];
    let rows = tokio::try_join!(
        biased;
        client.query(requests, ends),
        client.query(attempts, ends),
        client.query(runs, ends),
    )?;
    Ok(rows.into())
}

/// Takes in rows whose first column is a request's id.
fn each<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, Error>,
    mut take: impl FnMut(RequestId, T),
) -> Result<(), Error> {
    for row in rows {
        take(get::<Id>(row, 0)?.0, read(row)?);
    }
    Ok(())
}

fn ids(rows: &[Row]) -> Result<Vec<RequestId>, Error> {
    rows.iter().map(|row| Ok(get::<Id>(row, 0)?.0)).collect()
}

fn request(row: &Row) -> Result<RequestRow, Error> {
    Ok(RequestRow {
        running: get(row, 1)?,
        end_timed: get(row, 2)?,
        event_count: get(row, 3)?,
        token_count: get(row, 4)?,
        attempt_count: get(row, 5)?,
        lanes_completed: get(row, 6)?,
    })
}

fn attempt(row: &Row) -> Result<AttemptRow, Error> {
    Ok(AttemptRow {
        attempt_seq: get(row, 1)?,
        lane: get(row, 2)?,
        running: get(row, 3)?,
        completed: get(row, 4)?,
        end_timed: get(row, 5)?,
        started_seq: get(row, 6)?,
        finished_seq: get(row, 7)?,
        token_count: get(row, 8)?,
    })
}

fn run_numbers(row: &Row) -> Result<RunNumbers, Error> {
    let offsets = get::<Option<Vec<i64>>>(row, 6);
    Ok(RunNumbers {
        place: runs::place(row)?,
        is_sound: offsets.is_ok() && get(row, 7)? && is_sum_of(get(row, 8)?, get(row, 9)?),
        seq_offsets: offsets.unwrap_or_default(),
    })
}

pub(super) async fn last_clean(session: &Session) -> Result<Option<Timestamp>, Error> {
    let rows = session.query(LAST_CLEAN, &[&MAINTENANCE_NAME]).await?;
    rows.first().map(|row| Ok(get::<Moment>(row, 0)?.timestamp())).transpose()
}

pub(super) async fn record_clean(
    session: &Session,
    finished_at: Timestamp,
    covered_until: Timestamp,
) -> Result<(), Error> {
    let (finished_at, covered_until) = (Moment::of(finished_at)?, Moment::of(covered_until)?);
    session.execute(RECORD_CLEAN, &[&MAINTENANCE_NAME, &finished_at, &covered_until]).await?;
    Ok(())
}

pub(super) async fn known_requests(
    session: &Session,
    asked: Vec<RequestId>,
) -> Result<Vec<RequestId>, Error> {
    let asked: Vec<_> = asked.into_iter().map(Id).collect();
    ids(&session.query(KNOWN, &[&asked]).await?)
}
