//! Rows of `llm_token_runs`: arrays as JSON.

use std::borrow::Cow;

use rusqlite::{Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wordhoard_model::RequestId;

use super::rows::damaged;
use crate::runs::{RunPlace, RunRow, run_columns};

const INSERT: &str = concat!(
    "INSERT INTO llm_token_runs (",
    run_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
);

pub(super) fn insert(tx: &Transaction<'_>, row: &RunRow<'_>) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(INSERT)?.execute(params![
        row.request_id.as_bytes(),
        row.place.attempt_seq,
        row.place.first_token_index,
        row.place.token_count,
        row.place.first_seq,
        row.place.last_seq,
        row.at_ms,
        json(&row.texts)?,
        row.kinds,
        row.seq_offsets.as_ref().map(json).transpose()?,
        row.at_offsets_ms.as_ref().map(json).transpose()?,
        row.events,
        row.events_crc,
    ])?;
    Ok(())
}

fn json(array: &impl Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(array).map_err(|error| damaged(0, error))
}

/// # Errors
/// Where a column holds no array of its kind. Whether they fit together, [`RunRow::events`] says.
pub(super) fn read(row: &Row<'_>) -> Result<RunRow<'static>, rusqlite::Error> {
    let texts: Vec<String> =
        serde_json::from_str(row.get_ref(7)?.as_str()?).map_err(|error| damaged(7, error))?;
    Ok(RunRow {
        request_id: RequestId::from_bytes(row.get(0)?),
        place: place(row)?,
        at_ms: row.get(6)?,
        texts: texts.into_iter().map(Cow::Owned).collect(),
        kinds: row.get(8)?,
        seq_offsets: optional(row, 9)?,
        at_offsets_ms: optional(row, 10)?,
        events: row.get(11)?,
        events_crc: row.get(12)?,
    })
}

/// The columns of a row from 1 on.
pub(super) fn place(row: &Row<'_>) -> Result<RunPlace, rusqlite::Error> {
    Ok(RunPlace {
        attempt_seq: row.get(1)?,
        first_token_index: row.get(2)?,
        token_count: row.get(3)?,
        first_seq: row.get(4)?,
        last_seq: row.get(5)?,
    })
}

fn optional<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>, rusqlite::Error> {
    let Some(array) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    serde_json::from_str(array).map(Some).map_err(|error| damaged(column, error))
}
