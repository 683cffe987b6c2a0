//! Rows of `llm_token_runs`: arrays as arrays.

use std::borrow::Cow;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::rows::get;
use super::types::{Id, Moment};
use crate::Error;
use crate::runs::RunRow;

/// The columns, in the order of [`COLUMN_TYPES`] and of all that is here.
macro_rules! run_columns {
    () => {
        "request_id, attempt_seq, first_token_index, token_count, first_seq, last_seq, at, texts, kinds, seq_offsets,
            at_offsets_ms, events, events_crc"
    };
}
pub(super) use run_columns;

pub(super) const COLUMN_TYPES: [Type; 13] = [
    Type::UUID,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TEXT_ARRAY,
    Type::TEXT,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA,
    Type::INT8,
];

/// A row that is written, with what PostgreSQL has other types for.
#[derive(Debug)]
pub(super) struct WrittenRun<'a> {
    row: RunRow<'a>,
    id: Id,
    at: Moment,
}

impl<'a> WrittenRun<'a> {
    /// # Errors
    /// Where PostgreSQL has no number for one of its times.
    pub(super) fn new(row: RunRow<'a>) -> Result<Self, Error> {
        let moment = |ms| Moment::of(wordhoard_model::Timestamp::from_millis(ms));
        let at = moment(row.at_ms)?;
        for offset in row.at_offsets_ms.iter().flatten() {
            // The view adds them up.
            moment(row.at_ms.saturating_add(*offset))?;
        }
        Ok(Self { id: Id(row.request_id), at, row })
    }

    pub(super) fn values(&self) -> [&(dyn ToSql + Sync); 13] {
        let Self { row, id, at } = self;
        [
            id,
            &row.attempt_seq,
            &row.first_token_index,
            &row.token_count,
            &row.first_seq,
            &row.last_seq,
            at,
            &row.texts,
            &row.kinds,
            &row.seq_offsets,
            &row.at_offsets_ms,
            &row.events,
            &row.events_crc,
        ]
    }
}

/// # Errors
/// Where a column holds nothing of its kind. Whether they fit together, [`RunRow::events`] says.
pub(super) fn read(row: &Row) -> Result<RunRow<'static>, Error> {
    let texts: Vec<String> = get(row, 7)?;
    Ok(RunRow {
        request_id: get::<Id>(row, 0)?.0,
        attempt_seq: get(row, 1)?,
        first_token_index: get(row, 2)?,
        token_count: get(row, 3)?,
        first_seq: get(row, 4)?,
        last_seq: get(row, 5)?,
        at_ms: get::<Moment>(row, 6)?.timestamp().as_millis(),
        texts: texts.into_iter().map(Cow::Owned).collect(),
        kinds: get(row, 8)?,
        seq_offsets: get(row, 9)?,
        at_offsets_ms: get(row, 10)?,
        events: get(row, 11)?,
        events_crc: get(row, 12)?,
    })
}
