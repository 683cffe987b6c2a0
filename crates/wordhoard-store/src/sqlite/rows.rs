//! Columns of SQLite to values and back.

use rusqlite::types::Type;
use rusqlite::{Error, Row};
use wordhoard_model::{LaneSpec, Usage};

use crate::columns;
pub(super) use crate::columns::{fallback_to_json, lanes_to_json, signed, unsigned, usage_columns};

pub(super) fn lanes_from_json(row: &Row<'_>, column: usize) -> Result<Vec<LaneSpec>, Error> {
    let text: String = row.get(column)?;
    columns::lanes_from_json(&text).map_err(|error| damaged(column, error))
}

/// A column that holds the name of a variant.
pub(super) fn named<T>(row: &Row<'_>, column: usize, from_name: fn(&str) -> Option<T>) -> Result<T, Error> {
    let name: String = row.get(column)?;
    columns::named(&name, from_name).map_err(|error| damaged(column, error))
}

/// Four columns, from `first` on: input, output, reasoning and cached input tokens.
pub(super) fn usage(row: &Row<'_>, first: usize) -> Result<Option<Usage>, Error> {
    let values = [row.get(first)?, row.get(first + 1)?, row.get(first + 2)?, row.get(first + 3)?];
    columns::usage(values).map_err(|error| damaged(first, error))
}

pub(super) fn damaged(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
