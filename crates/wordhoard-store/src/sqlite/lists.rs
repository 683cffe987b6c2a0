use rusqlite::{OptionalExtension, Row, Transaction};
use wordhoard_model::{KeyId, RequestId, RequestStatus, Timestamp};

use super::rows::{lanes_from_json, named, signed, unsigned};
use crate::{Error, ListQuery, LogKey, Owners, RequestSummary};

const COLUMNS: &str =
    "request_id, created_at, status, finished_at, lanes, event_count, token_count, log_id, key_id";

pub(super) fn summary(snapshot: &Transaction<'_>, id: RequestId) -> Result<Option<RequestSummary>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM llm_requests WHERE request_id = ?1 AND erased_at IS NULL");
    let mut statement = snapshot.prepare_cached(&sql)?;
    Ok(statement.query_row([id.as_bytes()], from_row).optional()?)
}

pub(super) fn list(snapshot: &Transaction<'_>, query: &ListQuery) -> Result<Vec<RequestSummary>, Error> {
    // Ids of keys are numbers of ours, so they may stand in the statement.
    let owners = match &query.owners {
        Owners::All => "TRUE".to_owned(),
        Owners::Nobody => "key_id IS NULL".to_owned(),
        Owners::Keys(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| format!("x'{}'", hex(key.as_bytes()))).collect();
            format!("key_id IN ({})", keys.join(", "))
        }
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM llm_requests
         WHERE request_id >= ?1 AND request_id < ?2 AND (?3 IS NULL OR status = ?3)
         AND (?4 IS NULL OR instr(lanes, ?4) > 0) AND erased_at IS NULL AND {owners}
         ORDER BY request_id DESC LIMIT ?5"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let (lowest, highest) = query.ids();
    let status = query.status.map(RequestStatus::as_str);
    let limit = signed(query.limit as u64);
    let bounds = (lowest.as_bytes(), highest.as_bytes(), status, query.needle(), limit);
    let rows = statement.query_map(bounds, from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn open_requests(snapshot: &Transaction<'_>, log: LogKey) -> Result<Vec<RequestId>, Error> {
    let sql =
        "SELECT request_id FROM llm_requests WHERE log_id = ?1 AND status = 'running' ORDER BY request_id";
    let mut statement = snapshot.prepare_cached(sql)?;
    let rows = statement.query_map([log.0], |row| Ok(RequestId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        key: row.get::<_, Option<[u8; 16]>>(8)?.map(KeyId::from_bytes),
    })
}
