//! What every backend writes into a column in the same way. A text that names nothing we know is damage, not a
//! default.

use crate::escape::escape;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wordhoard_model::{Cost, Fallback, KeyLimits, LaneSpec, Rest, Usage, UsageDetails};

/// Why a column cannot be read or written.
pub type ColumnError = Box<dyn std::error::Error + Send + Sync>;

/// A lane as the column `lanes` holds it.
#[derive(Serialize, Deserialize)]
struct LaneColumn {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
}

pub(crate) fn lanes_to_json(lanes: &[LaneSpec]) -> Result<String, serde_json::Error> {
    let columns = lanes.iter().map(|lane| LaneColumn { model: lane.model.to_string(), weight: lane.weight });
    serde_json::to_string(&columns.collect::<Vec<_>>())
}

pub(crate) fn lanes_from_json(text: &str) -> Result<Vec<LaneSpec>, ColumnError> {
    let columns: Vec<LaneColumn> = serde_json::from_str(text)?;
    let lane = |lane: LaneColumn| Ok(LaneSpec { model: lane.model.parse()?, weight: lane.weight });
    columns.into_iter().map(lane).collect()
}

/// The column `limits`: what is not limited is not in it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsColumn {
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_minute: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent_requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_per_day_nano_usd: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_per_month_nano_usd: Option<u64>,
}

/// Limits as JSON, as the column `limits` and the copies of it hold them; none where nothing is limited.
///
/// # Errors
/// None that limits could have.
pub fn limits_to_json(limits: &KeyLimits) -> Result<Option<String>, serde_json::Error> {
    if limits.is_unlimited() {
        return Ok(None);
    }
    let column = LimitsColumn {
        requests_per_minute: limits.requests_per_minute,
        tokens_per_minute: limits.tokens_per_minute,
        concurrent_requests: limits.concurrent_requests,
        models: limits.models.as_ref().map(|models| models.iter().map(ToString::to_string).collect()),
        budget_per_day_nano_usd: limits.budget_per_day.map(Cost::nano_usd),
        budget_per_month_nano_usd: limits.budget_per_month.map(Cost::nano_usd),
    };
    serde_json::to_string(&column).map(Some)
}

/// The counterpart of [`limits_to_json`].
///
/// # Errors
/// Where it is damaged, or was written by a newer server: what is not understood must not count as no limit.
pub fn limits_from_json(text: Option<&str>) -> Result<KeyLimits, ColumnError> {
    let Some(text) = text else { return Ok(KeyLimits::default()) };
    let column: LimitsColumn = serde_json::from_str(text)?;
    let models = column.models.map(|models| models.iter().map(|model| model.parse()).collect());
    Ok(KeyLimits {
        requests_per_minute: column.requests_per_minute,
        tokens_per_minute: column.tokens_per_minute,
        concurrent_requests: column.concurrent_requests,
        models: models.transpose()?,
        budget_per_day: column.budget_per_day_nano_usd.map(Cost::from_nano_usd),
        budget_per_month: column.budget_per_month_nano_usd.map(Cost::from_nano_usd),
    })
}

/// The column `fallback`: none where the configuration decides, an empty list for nobody.
pub(crate) fn fallback_to_json(fallback: &Fallback) -> Result<Option<String>, serde_json::Error> {
    let models: Vec<String> = match fallback {
        Fallback::Default => return Ok(None),
        Fallback::Off => Vec::new(),
        Fallback::Queue(models) => models.iter().map(ToString::to_string).collect(),
    };
    serde_json::to_string(&models).map(Some)
}

pub(crate) fn fallback_from_json(text: Option<&str>) -> Result<Fallback, ColumnError> {
    let Some(text) = text else { return Ok(Fallback::Default) };
    let models: Vec<String> = serde_json::from_str(text)?;
    if models.is_empty() {
        return Ok(Fallback::Off);
    }
    Ok(Fallback::Queue(models.iter().map(|model| model.parse()).collect::<Result<_, _>>()?))
}

/// A column that holds the name of a variant.
pub(crate) fn named<T>(name: &str, from_name: fn(&str) -> Option<T>) -> Result<T, ColumnError> {
    from_name(name).ok_or_else(|| format!("{name:?} is no name of this column").into())
}

/// From four columns: input, output, reasoning and cached input tokens. The first is there exactly where a usage is.
pub(crate) fn usage(columns: [Option<i64>; 4]) -> Result<Option<Usage>, ColumnError> {
    let Some(input_tokens) = columns[0] else { return Ok(None) };
    Ok(Some(Usage {
        input_tokens: unsigned(input_tokens),
        output_tokens: unsigned(columns[1].ok_or("a usage has no output tokens")?),
        reasoning_tokens: columns[2].map(unsigned),
        cached_input_tokens: columns[3].map(unsigned),
        details: UsageDetails::default(),
    }))
}

/// From the column with the parts of a usage that have prices of their own.
pub(crate) fn usage_details(column: Option<&str>) -> Result<UsageDetails, ColumnError> {
    let Some(told) = column else { return Ok(UsageDetails::default()) };
    let told: Map<String, Value> = serde_json::from_str(told)?;
    Ok(UsageDetails::from_json(&told))
}

/// The counterpart of [`usage_details`].
pub(crate) fn usage_details_column(usage: Option<Usage>) -> Option<String> {
    let details = usage?.details;
    (!details.is_empty()).then(|| Value::Object(details.to_json()).to_string())
}

/// From the two columns of what else a provider said.
pub(crate) fn rest(events: Option<Vec<u8>>, document: Option<String>) -> Rest {
    match (events, document) {
        (_, Some(document)) => Rest::Document(document.into()),
        (Some(events), None) => Rest::Events(events.into()),
        (None, None) => Rest::Nothing,
    }
}

pub(crate) fn rest_events(rest: &Rest) -> Option<&[u8]> {
    match rest {
        Rest::Events(events) => Some(events),
        Rest::Nothing | Rest::Document(_) => None,
    }
}

pub(crate) fn rest_document(rest: &Rest) -> Option<&str> {
    match rest {
        Rest::Document(document) => Some(document),
        Rest::Nothing | Rest::Events(_) => None,
    }
}

/// The counterpart of [`usage`].
pub(crate) fn usage_columns(usage: Option<Usage>) -> [Option<i64>; 4] {
    let Some(usage) = usage else { return [None; 4] };
    [
        Some(signed(usage.input_tokens)),
        Some(signed(usage.output_tokens)),
        usage.reasoning_tokens.map(signed),
        usage.cached_input_tokens.map(signed),
    ]
}

/// SQL's integers are signed; a count beyond 2^63 can only be a provider's nonsense and is held at the limit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// How the first fragment of a call writes its id, which is compact JSON, as a column has it.
pub(crate) fn call_id_fragment(call_id: &str) -> String {
    escape(&format!("\"id\":{}", Value::from(call_id))).into_owned()
}

/// So many requests of a key are looked through for a call.
pub(crate) const MAX_SEARCHED_REQUESTS: i64 = 1_000;
