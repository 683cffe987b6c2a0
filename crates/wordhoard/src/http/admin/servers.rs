use axum::extract::{Path, State};
use axum::response::Json;
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::{RetireError, ServerReport};
use wordhoard_store::LogKey;

use crate::http::Surface;
use crate::http::administration::Administrator;
use crate::http::problem::{Problem, ProblemKind, Problems, can_fail};

/// A server on this database.
#[derive(Serialize, ToSchema)]
pub(super) struct ServerView {
    server_id: String,
    /// Whether it is the one that answers, or was before its log was put aside.
    is_this: bool,
    /// `running`, `stopped` (in order; it goes on at its next start), `gone` (silent without a word), `left` (for good), or `retired`.
    state: &'static str,
    /// Where it is called.
    address: String,
    /// The name of its machine.
    host: String,
    version: String,
    /// How long ago it last said that it is there.
    silent_seconds: u64,
    /// Its requests that have no end in SQL.
    open_requests: u64,
    retired_at: Option<String>,
    /// The server that closes its requests.
    retired_by: Option<String>,
}

/// The servers on this database.
#[derive(Serialize, ToSchema)]
pub(super) struct Servers {
    servers: Vec<ServerView>,
}

/// What retiring a server has come to.
#[derive(Serialize, ToSchema)]
pub(super) struct RetiredView {
    server_id: String,
    /// Its requests that were closed as interrupted.
    closed_requests: u64,
    /// Those that are still being closed.
    open_requests: u64,
}

impl From<&ServerReport> for ServerView {
    fn from(report: &ServerReport) -> Self {
        Self {
            server_id: report.log.to_string(),
            is_this: report.is_this,
            state: report.state.as_str(),
            address: report.profile.address.clone(),
            host: report.profile.host.clone(),
            version: report.profile.version.clone(),
            silent_seconds: report.silent_for.as_secs(),
            open_requests: report.open_requests,
            retired_at: report.retirement.map(|retirement| retirement.at.to_string()),
            retired_by: report.retirement.and_then(|retirement| retirement.by).map(|by| by.to_string()),
        }
    }
}

/// List the servers that have used this database, as it knew them a few seconds ago.
#[utoipa::path(
    get,
    path = "/api/admin/servers",
    operation_id = "list_servers",
    tag = "administration",
    responses(
        (status = 200, description = "All of this database", body = Servers),
        Problems<Servers>,
    )
)]
pub(super) async fn list(_: Administrator, State(surface): State<Surface>) -> Result<Json<Servers>, Problem> {
    let reports = surface.engine.servers();
    if reports.is_empty() {
        return Err(unavailable("the database does not say which servers there are".to_owned()));
    }
    Ok(Json(Servers { servers: reports.iter().map(ServerView::from).collect() }))
}

/// End the log of a server that is gone for good, and close its open requests as `interrupted`.
///
/// Nothing that it may still do gets into the database after that. One that runs is refused; one that has only been stopped may be
/// retired.
#[utoipa::path(
    post,
    path = "/api/admin/servers/{server_id}/retire",
    operation_id = "retire_server",
    tag = "administration",
    params(("server_id" = String, Path, description = "As the list gives it", pattern = "^[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "It is retired", body = RetiredView),
        Problems<(LogKey, RetireError)>,
    )
)]
pub(super) async fn retire(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(server_id): Path<String>,
) -> Result<Json<RetiredView>, Problem> {
    let log: LogKey = server_id.parse().map_err(|error: wordhoard_store::NoLogKey| {
        Problem::new(ProblemKind::InvalidParameter, error.to_string())
    })?;
    let retired = surface.engine.retire(log).await?;
    tracing::info!(server = %log, by = %caller, "a server was retired");
    Ok(Json(RetiredView {
        server_id: log.to_string(),
        closed_requests: retired.open_before.saturating_sub(retired.open_still),
        open_requests: retired.open_still,
    }))
}

can_fail!(Servers: ServersUnavailable);
can_fail!(LogKey: InvalidParameter);
can_fail!(RetireError: NoSuchServer, ServerHasLeft, ThisServer, ServerRuns, ServersUnavailable);

impl From<RetireError> for Problem {
    fn from(error: RetireError) -> Self {
        let detail = error.to_string();
        match error {
            RetireError::Unknown => Self::new(ProblemKind::NoSuchServer, detail),
            RetireError::HasLeft => Self::new(ProblemKind::ServerHasLeft, detail),
            RetireError::ThisServer => Self::new(ProblemKind::ThisServer, detail),
            RetireError::StillThere(server) => {
                let detail = format!("{detail}; it is called at {}", server.profile.address);
                Self::new(ProblemKind::ServerRuns, detail)
            }
            RetireError::Unavailable(_) => unavailable(detail),
        }
    }
}

fn unavailable(detail: String) -> Problem {
    Problem::new(ProblemKind::ServersUnavailable, detail).retry_after(5)
}
