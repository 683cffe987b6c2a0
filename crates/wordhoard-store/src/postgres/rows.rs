//! Rows to values. What a column must not hold is damage, never a default.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use wordhoard_model::{LaneSpec, Usage};

use super::text::Read;
use crate::Error;
use crate::columns::{self, ColumnError};

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => damaged(row, column, cause),
        None => damaged(row, column, error),
    })
}

pub(super) fn text(row: &Row, column: usize) -> Result<String, Error> {
    get::<Read>(row, column).map(|read| read.0)
}

pub(super) fn optional_text(row: &Row, column: usize) -> Result<Option<String>, Error> {
    Ok(get::<Option<Read>>(row, column)?.map(|read| read.0))
}

/// A `bigint` that counts.
pub(super) fn count(row: &Row, column: usize) -> Result<u64, Error> {
    get(row, column).map(columns::unsigned)
}

pub(super) fn optional_count(row: &Row, column: usize) -> Result<Option<u64>, Error> {
    Ok(get::<Option<i64>>(row, column)?.map(columns::unsigned))
}

/// A number of a type that is narrower than its column.
pub(super) fn narrow<T: TryFrom<u64>>(row: &Row, column: usize, value: u64) -> Result<T, Error> {
    T::try_from(value).map_err(|_| damaged(row, column, format!("{value} is too large")))
}

/// A column that holds the name of a variant.
pub(super) fn named<T>(row: &Row, column: usize, from_name: fn(&str) -> Option<T>) -> Result<T, Error> {
    let name: &str = get(row, column)?;
    columns::named(name, from_name).map_err(|error| damaged(row, column, error))
}

pub(super) fn lanes(row: &Row, column: usize) -> Result<Vec<LaneSpec>, Error> {
    columns::lanes_from_json(&text(row, column)?).map_err(|error| damaged(row, column, error))
}

/// Four columns, from `first` on: input, output, reasoning and cached input tokens.
pub(super) fn usage(row: &Row, first: usize) -> Result<Option<Usage>, Error> {
    let values = [get(row, first)?, get(row, first + 1)?, get(row, first + 2)?, get(row, first + 3)?];
    columns::usage(values).map_err(|error: ColumnError| damaged(row, first, error))
}

pub(super) fn damaged(row: &Row, column: usize, problem: impl ToString) -> Error {
    let name = row.columns().get(column).map_or("?", |column| column.name());
    Error::Damaged(format!("column {name}: {}", problem.to_string()))
}
