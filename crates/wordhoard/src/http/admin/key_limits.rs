use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Json;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_engine::KeyUsage;
use wordhoard_model::{Cost, KeyLimits, ModelPattern, ParseModelRefError};

use super::keys::{self, KeyView, no_such_key};
use crate::access;
use crate::http::Surface;
use crate::http::administration::Administrator;
use crate::http::body::{self, JsonBody, whole_number};
use crate::http::problem::{Problem, ProblemKind, Problems, can_fail};

/// More than any provider gives.
const MAX_TOKENS_PER_MINUTE: u64 = 1_000_000_000_000;

/// `provider:model`, or `provider:*` for all models of a provider.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(pattern = r"^[a-z0-9_-]{1,64}:(\*|[!-)+-~]{1,200})$")]
pub(super) struct ModelPatternText(String);

/// What a key may use. What is left out, or null, is not limited.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// Requests within any 60 seconds, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(format = "uint32", minimum = 1, maximum = 4_294_967_295_usize)]
    requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers within any 60 seconds, from 1. An answer counts as long as it may be until it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1_000_000_000_000_usize)]
    tokens_per_minute: Option<u64>,
    /// Requests that run at the same time, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(format = "uint32", minimum = 1, maximum = 4_294_967_295_usize)]
    concurrent_requests: Option<u32>,
    /// The models that may be asked: `provider:model`, or `provider:*` for all of a provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1)]
    models: Option<Vec<ModelPatternText>>,
    /// US dollars for the requests of a day (UTC), above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1_000_000_000)]
    budget_per_day_usd: Option<f64>,
    /// US dollars for the requests of a month (UTC), above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1_000_000_000)]
    budget_per_month_usd: Option<f64>,
}

/// See [`whole_number`].
fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(None);
    }
    let number = whole_number(&value).filter(|number| *number <= MAX_TOKENS_PER_MINUTE);
    let number = number.and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| Error::custom(format_args!("{value} is no whole number, or too large")))
}

/// What a key uses.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// Requests of the last 60 seconds.
    requests_last_minute: u64,
    /// Their tokens; of those that run, what is reserved for them.
    tokens_last_minute: u64,
    /// Requests that run.
    running_requests: u64,
    /// What the requests of this day (UTC) cost, with what is reserved for those that run.
    cost_of_day_usd: f64,
    /// What the requests of this month (UTC) cost, with what is reserved for those that run.
    cost_of_month_usd: f64,
}

/// Replace what a key may use. It counts here at once, on the other servers within a second.
#[utoipa::path(
    put,
    path = "/api/admin/keys/{key_id}/limits",
    operation_id = "limit_key",
    tag = "administration",
    params(("key_id" = String, Path, description = "As the list gives it")),
    request_body = Limits,
    responses(
        (status = 200, description = "The key as it is now", body = KeyView),
        Problems<(JsonBody, KeyLimits, KeyView)>,
    )
)]
pub(super) async fn replace(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyView>, Problem> {
    let id = id.parse().map_err(|_| no_such_key())?;
    let bytes = surface.bodies.read(&headers, body).await?;
    let limits = parse(body::json_object(&headers, &bytes)?)?;
    let limited = surface.store.limit_key(id, limits).await.map_err(keys::unavailable)?;
    let record = limited.ok_or_else(no_such_key)?;
    tracing::info!(key_id = %record.id, by = %caller, limits = ?record.limits, "the limits of a key were replaced");
    keys::know_at_once(&surface).await;
    Ok(Json(KeyView::of(record, &surface)))
}

can_fail!(KeyLimits: InvalidField);

/// # Errors
/// The field that is wrong, as `limits.models`.
pub(super) fn parse(fields: Map<String, Value>) -> Result<KeyLimits, Problem> {
    let wrong = |field: &str, problem: String| {
        let detail = format!("{field} {problem}");
        Problem::new(ProblemKind::InvalidField, detail).field(field)
    };
    let written: Limits = serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let field = error.path().to_string();
        wrong(if field == "." { "limits" } else { &field }, format!("cannot be read: {}", error.inner()))
    })?;
    for (field, is_zero) in [
        ("requests_per_minute", written.requests_per_minute == Some(0)),
        ("tokens_per_minute", written.tokens_per_minute == Some(0)),
        ("concurrent_requests", written.concurrent_requests == Some(0)),
    ] {
        if is_zero {
            return Err(wrong(field, "must be at least 1; to shut a key out, revoke it".into()));
        }
    }
    let models =
        written.models.map(|models| models.iter().map(|ModelPatternText(model)| model.parse()).collect());
    let models: Option<Vec<ModelPattern>> = models
        .transpose()
        .map_err(|error: ParseModelRefError| wrong("models", format!("hold a name that is none: {error}")))?;
    if models.as_ref().is_some_and(Vec::is_empty) {
        return Err(wrong("models", "must name at least one; to shut a key out, revoke it".into()));
    }
    let budget = |field: &str, usd: Option<f64>| {
        usd.map(access::budget).transpose().map_err(|problem| wrong(field, problem))
    };
    Ok(KeyLimits {
        requests_per_minute: written.requests_per_minute,
        tokens_per_minute: written.tokens_per_minute,
        concurrent_requests: written.concurrent_requests,
        models,
        budget_per_day: budget("budget_per_day_usd", written.budget_per_day_usd)?,
        budget_per_month: budget("budget_per_month_usd", written.budget_per_month_usd)?,
    })
}

/// The limits as JSON, as the administration shows them; null where nothing is limited.
pub(crate) fn limits_of_key(limits: &KeyLimits) -> Value {
    serde_json::to_value(Limits::of(limits)).unwrap_or_default()
}

impl Limits {
    /// None where nothing is limited.
    pub(super) fn of(limits: &KeyLimits) -> Option<Self> {
        let names = |models: &Vec<ModelPattern>| {
            models.iter().map(|model| ModelPatternText(model.to_string())).collect()
        };
        (!limits.is_unlimited()).then(|| Self {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrent_requests: limits.concurrent_requests,
            models: limits.models.as_ref().map(names),
            budget_per_day_usd: limits.budget_per_day.map(Cost::usd),
            budget_per_month_usd: limits.budget_per_month.map(Cost::usd),
        })
    }
}

impl Usage {
    pub(super) fn of(usage: KeyUsage) -> Self {
        Self {
            requests_last_minute: usage.requests,
            tokens_last_minute: usage.tokens,
            running_requests: usage.running,
            cost_of_day_usd: usage.day.usd(),
            cost_of_month_usd: usage.month.usd(),
        }
    }
}
