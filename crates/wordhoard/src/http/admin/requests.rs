use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use wordhoard_engine::ReadError;
use wordhoard_model::{AttemptState, AttemptTranscript, ModelRef, ProviderName, Timestamp, Transcript};
use wordhoard_store::AskedFor;
use wordhoard_wire::native;

use crate::http::Surface;
use crate::http::administration::Administrator;
use crate::http::problem::{Problem, Problems};
use crate::http::query::{Query, invalid};
use crate::http::request_path::RequestPath;
use crate::http::requests::{self, RequestPage};

const PARAMETERS: [&str; 7] = ["limit", "before", "status", "provider", "model", "since", "until"];

/// A request as its callers see it, and what only operators need.
#[derive(Serialize)]
struct RequestAndAttempts<'a> {
    #[serde(flatten)]
    request: native::RequestView<'a>,
    /// Where its events stream.
    stream_url: String,
    /// Every call to a provider, in order.
    attempts: Vec<AttemptView>,
}

/// One call to a provider.
#[derive(Serialize)]
struct AttemptView {
    attempt_seq: u32,
    lane: u8,
    provider: String,
    model: String,
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
    token_count: u64,
    first_token_at: Option<String>,
    last_token_at: Option<String>,
    failure: Option<String>,
    /// The attempt whose text this one goes on from, and its last token that counts.
    continues: Option<Continued>,
    /// What it cost, in USD, where the price of its model is known.
    cost_usd: Option<f64>,
}

/// From where an attempt goes on.
#[derive(Serialize)]
struct Continued {
    attempt_seq: u32,
    token_index: u64,
}

/// List requests, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/requests",
    operation_id = "administer_requests",
    tag = "administration",
    params(
        ("limit" = Option<usize>, Query, description = "1 to 500; 50 if left out", minimum = 1, maximum = 500),
        ("before" = Option<String>, Query, description = "Only requests older than this one", pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        ("status" = Option<String>, Query, description = "running, completed, failed, cancelled or interrupted", pattern = "^(running|completed|failed|cancelled|interrupted)$"),
        ("provider" = Option<String>, Query, description = "Only requests that asked for a model of this provider", pattern = "^[a-z0-9_-]{1,64}$"),
        ("model" = Option<String>, Query, description = "Only requests that asked for this model, as provider:model", pattern = r"^[a-z0-9_-]{1,64}:[!-~]{1,200}$"),
        ("since" = Option<String>, Query, description = "Only requests accepted at this time (RFC 3339) or later", format = DateTime),
        ("until" = Option<String>, Query, description = "Only requests accepted before this time (RFC 3339)", format = DateTime),
    ),
    responses(
        (status = 200, description = "A page of them", body = RequestPage),
        Problems<(Query, ReadError)>,
    )
)]
pub(super) async fn list(
    _: Administrator,
    State(surface): State<Surface>,
    RawQuery(query): RawQuery,
) -> Result<Json<RequestPage>, Problem> {
    let query = Query::parse(query.as_deref(), &PARAMETERS)?;
    let mut wanted = requests::list_query(&query)?;
    wanted.since = time(&query, "since")?;
    wanted.until = time(&query, "until")?;
    wanted.asked_for = match (query.text("provider")?, query.text("model")?) {
        (None, None) => None,
        (Some(name), None) => Some(AskedFor::Provider(provider(&name)?)),
        (None, Some(text)) => Some(AskedFor::Model(model(&text)?)),
        (Some(name), Some(text)) => {
            let (provider, model) = (provider(&name)?, model(&text)?);
            if model.provider != provider {
                return Ok(Json(RequestPage::default()));
            }
            Some(AskedFor::Model(model))
        }
    };
    requests::page(&surface, wanted).await
}

fn provider(name: &str) -> Result<ProviderName, Problem> {
    ProviderName::new(name).map_err(|_| invalid("provider", name, "a provider's name"))
}

fn model(text: &str) -> Result<ModelRef, Problem> {
    text.parse().map_err(|_| invalid("model", text, "a model, as provider:model"))
}

fn time(query: &Query, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = query.text(name)? else { return Ok(None) };
    let time = text.parse().map_err(|_| invalid(name, &text, "a time such as 2026-11-22T23:47:15Z"));
    time.map(Some)
}

/// Get a request with its attempts: how many tokens each has, when the first and the last came.
#[utoipa::path(
    get,
    path = "/api/admin/requests/{request_id}",
    operation_id = "administer_request",
    tag = "administration",
    params(("request_id" = String, Path, description = "As the prompt's answer gave it")),
    responses(
        (status = 200, description = "The request", body = Object),
        Problems<(RequestPath, ReadError)>,
    )
)]
pub(super) async fn one(
    _: Administrator,
    State(surface): State<Surface>,
    RequestPath(id): RequestPath,
) -> Result<Response, Problem> {
    let transcript = surface.engine.transcript(id).await?.ok_or_else(Problem::no_such_request)?;
    let view = RequestAndAttempts {
        request: native::request_view(id, &transcript),
        stream_url: format!("/api/llm/stream/{id}"),
        attempts: attempts(&transcript),
    };
    let mut response = Json(view).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn attempts(transcript: &Transcript) -> Vec<AttemptView> {
    let attempts = transcript.state.attempts().iter().zip(&transcript.attempts);
    attempts.map(|(attempt, texts)| AttemptView::of(attempt, texts)).collect()
}

impl AttemptView {
    fn of(attempt: &AttemptState, texts: &AttemptTranscript) -> Self {
        let (finished, started) = (attempt.finished.as_ref(), &attempt.started);
        Self {
            attempt_seq: started.attempt_seq.0,
            lane: started.lane.0,
            provider: started.model.provider.as_str().to_owned(),
            model: started.model.to_string(),
            status: finished.map_or("running", |(_, end)| end.outcome.as_str()),
            started_at: attempt.started_at.to_string(),
            finished_at: finished.map(|(at, _)| at.to_string()),
            token_count: attempt.next_token_index.0,
            first_token_at: texts.first_token_at.map(|at| at.to_string()),
            last_token_at: texts.last_token_at.map(|at| at.to_string()),
            failure: finished
                .and_then(|(_, end)| end.failure.as_ref())
                .map(|failure| format!("{}: {}", failure.class, failure.message)),
            continues: started.continues.map(|earlier| Continued {
                attempt_seq: earlier.attempt_seq.0,
                token_index: earlier.token_index.0,
            }),
            cost_usd: finished.and_then(|(_, end)| end.cost).map(|cost| cost.usd()),
        }
    }
}
