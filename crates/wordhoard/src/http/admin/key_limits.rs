use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_engine::KeyUsage;
use wordhoard_model::{Cost, KeyLimits, ModelPattern, ParseModelRefError};

use super::keys::{self, KeyView, no_such_key};
use crate::access;
use crate::http::administration::Administrator;
use crate::http::problem::Problem;
use crate::http::{Surface, body};

/// What a key may use. What is left out, or null, is not limited.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// Requests within any 60 seconds, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers within any 60 seconds, from 1. An answer counts as long as it may be until it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    tokens_per_minute: Option<u64>,
    /// Requests that run at the same time, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    concurrent_requests: Option<u32>,
    /// The models that may be asked: `provider:model`, or `provider:*` for all of a provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    /// US dollars for the requests of a day (UTC), above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget_per_day_usd: Option<f64>,
    /// US dollars for the requests of a month (UTC), above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget_per_month_usd: Option<f64>,
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
        (status = 200, body = KeyView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Not JSON"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such key"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too long"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Not application/json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or has a value that it cannot have"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "SQL cannot take it now"),
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

/// # Errors
/// The field that is wrong, as `limits.models`.
pub(super) fn parse(fields: Map<String, Value>) -> Result<KeyLimits, Problem> {
    let wrong = |field: &str, problem: String| {
        let detail = format!("{field} {problem}");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", detail).field(field)
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
    let models = written.models.map(|models| models.iter().map(|model| model.parse()).collect());
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
        let names = |models: &Vec<ModelPattern>| models.iter().map(ToString::to_string).collect();
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
