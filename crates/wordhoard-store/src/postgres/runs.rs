//! Rows of `llm_token_runs`: arrays as arrays.

use std::borrow::Cow;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::rows::get;
use super::types::{Id, Moment};
use crate::Error;
use crate::runs::{RunPlace, RunRow};

/// Of [`run_columns`](crate::runs::run_columns).
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
            &row.place.attempt_seq,
            &row.place.first_token_index,
            &row.place.token_count,
            &row.place.first_seq,
            &row.place.last_seq,
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
        place: place(row)?,
        at_ms: get::<Moment>(row, 6)?.timestamp().as_millis(),
        texts: texts.into_iter().map(Cow::Owned).collect(),
        kinds: get(row, 8)?,
        seq_offsets: get(row, 9)?,
        at_offsets_ms: get(row, 10)?,
        events: get(row, 11)?,
        events_crc: get(row, 12)?,
    })
}

/// The columns of a row from 1 on.
pub(super) fn place(row: &Row) -> Result<RunPlace, Error> {
    Ok(RunPlace {
        attempt_seq: get(row, 1)?,
        first_token_index: get(row, 2)?,
        token_count: get(row, 3)?,
        first_seq: get(row, 4)?,
        last_seq: get(row, 5)?,
    })
}
