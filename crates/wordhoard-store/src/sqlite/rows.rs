//! Columns to values and back. A text that names nothing we know is damage, not a default.

use rusqlite::types::Type;
use rusqlite::{Error, Row};
use serde::{Deserialize, Serialize};
use wordhoard_model::{LaneSpec, ModelRef, Usage};

/// A lane as the column `lanes` holds it.
#[derive(Serialize, Deserialize)]
struct LaneColumn {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
}

pub(super) fn lanes_to_json(lanes: &[LaneSpec]) -> Result<String, serde_json::Error> {
    let columns = lanes.iter().map(|lane| LaneColumn { model: lane.model.to_string(), weight: lane.weight });
    serde_json::to_string(&columns.collect::<Vec<_>>())
}

pub(super) fn lanes_from_json(row: &Row<'_>, column: usize) -> Result<Vec<LaneSpec>, Error> {
    let text: String = row.get(column)?;
    let columns: Vec<LaneColumn> = serde_json::from_str(&text).map_err(|error| damaged(column, error))?;
    let lane = |lane: LaneColumn| {
        let model: ModelRef = lane.model.parse().map_err(|error| damaged(column, error))?;
        Ok(LaneSpec { model, weight: lane.weight })
    };
    columns.into_iter().map(lane).collect()
}

/// A column that holds the name of a variant.
pub(super) fn named<T>(row: &Row<'_>, column: usize, from_name: fn(&str) -> Option<T>) -> Result<T, Error> {
    let name: String = row.get(column)?;
    from_name(&name).ok_or_else(|| damaged(column, format!("{name:?} is no name of this column")))
}

/// Four columns, from `first` on: input, output, reasoning and cached input tokens.
pub(super) fn usage(row: &Row<'_>, first: usize) -> Result<Option<Usage>, Error> {
    let Some(input_tokens) = row.get::<_, Option<i64>>(first)? else {
        return Ok(None);
    };
    Ok(Some(Usage {
        input_tokens: unsigned(input_tokens),
        output_tokens: unsigned(row.get(first + 1)?),
        reasoning_tokens: row.get::<_, Option<i64>>(first + 2)?.map(unsigned),
        cached_input_tokens: row.get::<_, Option<i64>>(first + 3)?.map(unsigned),
    }))
}

/// The counterpart of [`usage`].
pub(super) fn usage_columns(usage: Option<Usage>) -> [Option<i64>; 4] {
    let Some(usage) = usage else { return [None; 4] };
    [
        Some(signed(usage.input_tokens)),
        Some(signed(usage.output_tokens)),
        usage.reasoning_tokens.map(signed),
        usage.cached_input_tokens.map(signed),
    ]
}

/// SQLite's integers are signed; a count beyond 2^63 can only be a provider's nonsense and is held at the limit.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn damaged(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
