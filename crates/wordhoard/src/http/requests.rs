use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wordhoard_engine::{CancelError, Owner, ReadError, ServerState};
use wordhoard_model::{RequestId, RequestStatus};
use wordhoard_store::{ListQuery, RequestSummary};
use wordhoard_wire::native;

use super::Surface;
use super::problem::{Problem, Problems};
use super::query::{Query, invalid};
use super::request_path::{RequestPath, Seen};
use super::server_view::server_view;

const DEFAULT_PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// A page of requests, newest first.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct RequestPage {
    /// The requests.
    requests: Vec<RequestLine>,
    /// The `before` of the next page; none where this is the last one.
    next_before: Option<String>,
}

/// One request of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct RequestLine {
    request_id: String,
    /// `running`, `completed`, `failed`, `cancelled` or `interrupted`.
    status: &'static str,
    created_at: String,
    finished_at: Option<String>,
    models: Vec<String>,
    /// Known once the request has ended.
    token_count: Option<u64>,
}

/// A request, and whose it is while it has not ended.
#[derive(Serialize)]
struct RequestAndServer<'a> {
    #[serde(flatten)]
    request: native::RequestView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Value>,
}

/// What cancelling a request led to.
#[derive(Serialize, ToSchema)]
pub(super) struct Cancelled {
    request_id: String,
    /// How the request has ended: `cancelled`, or as it had ended before.
    status: &'static str,
}

/// List requests, newest first: those that the caller sees.
#[utoipa::path(
    get,
    path = "/api/llm/requests",
    operation_id = "list_requests",
    tag = "requests",
    params(
        ("limit" = Option<usize>, Query, description = "1 to 500; 50 if left out", minimum = 1, maximum = 500),
        ("before" = Option<String>, Query, description = "Only requests older than this one", pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        ("status" = Option<String>, Query, description = "running, completed, failed, cancelled or interrupted", pattern = "^(running|completed|failed|cancelled|interrupted)$"),
    ),
    responses(
        (status = 200, description = "A page of them", body = RequestPage),
        Problems<(Query, ReadError)>,
    )
)]
pub(super) async fn list(
    Seen(owners): Seen,
    State(surface): State<Surface>,
    RawQuery(query): RawQuery,
) -> Result<Json<RequestPage>, Problem> {
    let query = Query::parse(query.as_deref(), &["limit", "before", "status"])?;
    page(&surface, ListQuery { owners, ..list_query(&query)? }).await
}

/// The parameters that every list of requests takes.
pub(super) fn list_query(query: &Query) -> Result<ListQuery, Problem> {
    let limit = query.get::<usize>("limit", "a number from 1 to 500")?.unwrap_or(DEFAULT_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(invalid("limit", &limit.to_string(), "a number from 1 to 500"));
    }
    let before = query.get::<RequestId>("before", "the id of a request")?;
    let status = match query.get::<String>("status", "a status")? {
        None => None,
        Some(name) => Some(RequestStatus::from_name(&name).ok_or_else(|| {
            invalid("status", &name, "one of running, completed, failed, cancelled, interrupted")
        })?),
    };
    Ok(ListQuery { before, status, limit, ..ListQuery::default() })
}

/// One page of a list.
pub(super) async fn page(surface: &Surface, query: ListQuery) -> Result<Json<RequestPage>, Problem> {
    let limit = query.limit;
    // One more than is shown tells whether there is a next page.
    let found = surface.engine.list(ListQuery { limit: limit + 1, ..query }).await?;
    let page = &found[..limit.min(found.len())];
    let last = page.last().filter(|_| found.len() > limit);
    Ok(Json(RequestPage {
        requests: page.iter().map(line).collect(),
        next_before: last.map(|last| last.request_id.to_string()),
    }))
}

fn line(summary: &RequestSummary) -> RequestLine {
    RequestLine {
        request_id: summary.request_id.to_string(),
        status: summary.status.as_str(),
        created_at: summary.created_at.to_string(),
        finished_at: summary.finished_at.map(|at| at.to_string()),
        models: summary.models.iter().map(ToString::to_string).collect(),
        token_count: summary.token_count,
    }
}

/// Get a request with its lanes, attempts and texts, as far as it is recorded.
#[utoipa::path(
    get,
    path = "/api/llm/requests/{request_id}",
    operation_id = "get_request",
    tag = "requests",
    params(("request_id" = String, Path, description = "As the prompt's answer gave it")),
    responses(
        (status = 200, description = "The request", body = Object),
        Problems<(RequestPath, ReadError)>,
    )
)]
pub(super) async fn one(
    State(surface): State<Surface>,
    RequestPath(id): RequestPath,
) -> Result<Response, Problem> {
    let transcript = surface.engine.transcript(id).await?.ok_or_else(Problem::no_such_request)?;
    let finished = transcript.state.finished().is_some();
    let server = if finished { None } else { Some(owner_view(surface.engine.owner(id).await)) };
    let view = RequestAndServer { request: native::request_view(id, &transcript), server };
    let mut response = Json(view).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Where a request that has not ended belongs: its server alone can go on with it.
fn owner_view(owner: Owner) -> Value {
    match owner {
        Owner::Here => json!({ "state": "here" }),
        Owner::Elsewhere(server) => {
            let mut view = server_view(&server);
            // One that runs is "elsewhere"; the others are told as they are.
            if server.state == ServerState::Running {
                view["state"] = "elsewhere".into();
            }
            view
        }
        Owner::Nobody => json!({ "state": "gone", "silent_seconds": null }),
        Owner::Unknown => json!({ "state": "unknown" }),
    }
}

/// Stop a request: connections to its providers are closed, its attempts end as `cancelled`.
#[utoipa::path(
    post,
    path = "/api/llm/requests/{request_id}/cancel",
    operation_id = "cancel_request",
    tag = "requests",
    params(("request_id" = String, Path, description = "As the prompt's answer gave it")),
    responses(
        (status = 200, description = "It has ended", body = Cancelled),
        Problems<(RequestPath, CancelError)>,
    )
)]
pub(super) async fn cancel(
    State(surface): State<Surface>,
    RequestPath(id): RequestPath,
) -> Result<Json<Cancelled>, Problem> {
    let outcome = surface.engine.cancel(id).await?;
    Ok(Json(Cancelled { request_id: id.to_string(), status: outcome.as_str() }))
}
