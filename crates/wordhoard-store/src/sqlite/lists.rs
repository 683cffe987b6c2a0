use rusqlite::{OptionalExtension, Row, Transaction};
use wordhoard_model::{RequestId, RequestStatus, Timestamp};

use super::rows::{lanes_from_json, named, signed, unsigned};
use crate::{Error, ListQuery, LogKey, RequestSummary};

const COLUMNS: &str = "request_id, created_at, status, finished_at, lanes, event_count, token_count, log_id";

pub(super) fn summary(snapshot: &Transaction<'_>, id: RequestId) -> Result<Option<RequestSummary>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM llm_requests WHERE request_id = ?1");
    let mut statement = snapshot.prepare_cached(&sql)?;
    Ok(statement.query_row([id.as_bytes()], from_row).optional()?)
}

pub(super) fn list(snapshot: &Transaction<'_>, query: &ListQuery) -> Result<Vec<RequestSummary>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM llm_requests
         WHERE (?1 IS NULL OR request_id < ?1) AND (?2 IS NULL OR status = ?2)
         ORDER BY request_id DESC LIMIT ?3"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let before = query.before.as_ref().map(RequestId::as_bytes);
    let status = query.status.map(RequestStatus::as_str);
    let rows = statement.query_map((before, status, signed(query.limit as u64)), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn open_requests(snapshot: &Transaction<'_>, log: LogKey) -> Result<Vec<RequestId>, Error> {
    let sql =
        "SELECT request_id FROM llm_requests WHERE log_id = ?1 AND status = 'running' ORDER BY request_id";
    let mut statement = snapshot.prepare_cached(sql)?;
    let rows = statement.query_map([log.0], |row| Ok(RequestId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> Result<RequestSummary, rusqlite::Error> {
    Ok(RequestSummary {
        request_id: RequestId::from_bytes(row.get(0)?),
        log: LogKey(row.get(7)?),
        created_at: Timestamp::from_millis(row.get(1)?),
        status: named(row, 2, RequestStatus::from_name)?,
        finished_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
        models: lanes_from_json(row, 4)?.into_iter().map(|lane| lane.model).collect(),
        event_count: row.get::<_, Option<i64>>(5)?.map(unsigned),
        token_count: row.get::<_, Option<i64>>(6)?.map(unsigned),
    })
}
