use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction};
use wordhoard_model::{RequestId, Timestamp};

use super::rows::signed;
use super::{runs, upkeep};
use crate::Error;
use crate::check::{
    AttemptRow, CheckSlice, Checked, Evidence, MAINTENANCE_NAME, RequestRow, RunNumbers, Selection, Span,
    statements,
};
use crate::runs::is_sum_of;

/// The newest requests below the id `$1` that run or have ended at `$2` or later, at most `$3`. Left to itself, SQLite
/// would look at all requests below that id.
const OLDER: &str = "
SELECT request_id FROM (
    SELECT request_id FROM llm_requests INDEXED BY llm_requests_running
    WHERE request_id < $1 AND status = 'running'
    UNION
    SELECT request_id FROM llm_requests INDEXED BY llm_requests_finished
    WHERE request_id < $1 AND finished_at >= $2
) AS older ORDER BY request_id DESC LIMIT $3";

const RUNS: &str = statements::run_numbers!(
    "CASE WHEN json_valid(texts) THEN json_array_length(texts) = token_count ELSE false END
    AND coalesce(length(kinds), token_count) = token_count AND coalesce(kinds NOT GLOB '*[^trcfa]*', true)
    AND CASE WHEN at_offsets_ms IS NULL THEN true
        WHEN json_valid(at_offsets_ms) THEN json_array_length(at_offsets_ms) = token_count ELSE false END"
);

pub(super) fn check(snapshot: &Transaction<'_>, slice: &CheckSlice) -> Result<Checked, Error> {
    let selection = select(snapshot, slice)?;
    let mut evidence = Evidence::default();
    for span in &selection.spans {
        collect(snapshot, span, &mut evidence)?;
    }
    Ok(evidence.judge(selection.next, upkeep::pruned_before(snapshot)?))
}

fn select(snapshot: &Transaction<'_>, slice: &CheckSlice) -> Result<Selection, Error> {
    let mut newest = Vec::new();
    if let Some(Span { low, high }) = slice.reach() {
        let values = (low.as_bytes(), high.as_bytes(), signed(slice.limit() as u64));
        each(snapshot, statements::NEWEST, values, |_| Ok(()), |id, ()| newest.push(id))?;
    }
    let mut older = Vec::new();
    if let Some(chosen) = slice.older(&newest) {
        let values = (chosen.below.as_bytes(), chosen.since.as_millis(), signed(chosen.limit as u64));
        each(snapshot, OLDER, values, |_| Ok(()), |id, ()| older.push(id))?;
    }
    Ok(Selection::new(slice, &newest, &older))
}

fn collect(snapshot: &Transaction<'_>, span: &Span, evidence: &mut Evidence) -> Result<(), Error> {
    let span = (span.low.as_bytes(), span.high.as_bytes());
    each(snapshot, statements::REQUESTS, span, request, |id, row| evidence.request(id, row))?;
    each(snapshot, statements::ATTEMPTS, span, attempt, |id, row| evidence.attempt(id, row))?;
    each(snapshot, RUNS, span, run_numbers, |id, run| evidence.run(id, &run))
}

/// Takes in each row of a query whose first column is a request's id.
fn each<T>(
    snapshot: &Transaction<'_>,
    sql: &str,
    values: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, rusqlite::Error>,
    mut take: impl FnMut(RequestId, T),
) -> Result<(), Error> {
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        take(RequestId::from_bytes(row.get(0)?), read(row)?);
    }
    Ok(())
}

fn request(row: &Row<'_>) -> Result<RequestRow, rusqlite::Error> {
    Ok(RequestRow {
        running: row.get(1)?,
        end_timed: row.get(2)?,
        event_count: row.get(3)?,
        token_count: row.get(4)?,
        attempt_count: row.get(5)?,
        lanes_completed: row.get(6)?,
    })
}

fn attempt(row: &Row<'_>) -> Result<AttemptRow, rusqlite::Error> {
    Ok(AttemptRow {
        attempt_seq: row.get(1)?,
        lane: row.get(2)?,
        running: row.get(3)?,
        completed: row.get(4)?,
        end_timed: row.get(5)?,
        started_seq: row.get(6)?,
        finished_seq: row.get(7)?,
        token_count: row.get(8)?,
    })
}

fn run_numbers(row: &Row<'_>) -> Result<RunNumbers, rusqlite::Error> {
    let offsets: Option<String> = row.get(6)?;
    let parsed = offsets.map(|offsets| serde_json::from_str(&offsets)).transpose();
    Ok(RunNumbers {
        place: runs::place(row)?,
        is_sound: parsed.is_ok() && row.get(7)? && is_sum_of(row.get_ref(8)?.as_blob_or_null()?, row.get(9)?),
        seq_offsets: parsed.unwrap_or_default(),
    })
}

pub(super) fn last_clean(snapshot: &Transaction<'_>) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT covered_until FROM maintenance WHERE name = ?1";
    let millis = snapshot.prepare_cached(sql)?.query_row([MAINTENANCE_NAME], |row| row.get(0)).optional()?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(super) fn record_clean(
    connection: &Connection,
    finished_at: Timestamp,
    covered_until: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO maintenance (name, finished_at, covered_until) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET finished_at = MAX(finished_at, excluded.finished_at),
                   covered_until = MAX(covered_until, excluded.covered_until)";
    let values = (MAINTENANCE_NAME, finished_at.as_millis(), covered_until.as_millis());
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(super) fn known_requests(
    snapshot: &Transaction<'_>,
    mut ids: Vec<RequestId>,
) -> Result<Vec<RequestId>, Error> {
    let mut statement = snapshot.prepare_cached("SELECT 1 FROM llm_requests WHERE request_id = ?1")?;
    let mut result = Ok(());
    ids.retain(|id| match statement.exists([id.as_bytes()]) {
        Ok(known) => known,
        Err(error) => {
            result = Err(error);
            false
        }
    });
    result?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::super::migrate;
    use super::*;

    /// The lines of a query's plan that read a table or an index from one end to the other.
    fn scans(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert!(steps.iter().any(|step| step.starts_with("SEARCH")), "{steps:?}");
        steps.into_iter().filter(|step| step.starts_with("SCAN llm_")).collect()
    }

    #[test]
    fn no_query_reads_a_table_from_end_to_end() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::run(&mut connection, Timestamp::from_millis(1)).unwrap();
        for sql in [statements::NEWEST, statements::REQUESTS, statements::ATTEMPTS, RUNS] {
            assert_eq!(scans(&connection, sql), [] as [String; 0], "{sql}");
        }
        // Of what runs there is little, and the index holds nothing else.
        let running = ["SCAN llm_requests USING COVERING INDEX llm_requests_running"];
        assert_eq!(scans(&connection, OLDER), running);
    }
}
