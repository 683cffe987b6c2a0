//! The administrator: who is one, and the long operations that he has begun.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use wordhoard_engine::{TaskKind, Tasks};

use super::Surface;
use super::problem::Problem;
use crate::config::AdminKey;

/// Operations that are remembered.
const KEPT_OPERATIONS: usize = 100;

/// Who may administer, and what was begun.
#[derive(Clone, Debug)]
pub(crate) struct Administration {
    key: Option<AdminKey>,
    tasks: Tasks,
    operations: Arc<Mutex<VecDeque<Operation>>>,
}

/// A long operation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Operation {
    operation_id: String,
    /// What is done: `check`.
    kind: &'static str,
    /// `running`, `finished` or `failed`.
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
    /// What it has found or done, once it has finished.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed.
    error: Option<String>,
}

impl Administration {
    pub(crate) fn new(key: Option<AdminKey>, tasks: Tasks) -> Self {
        Self { key, tasks, operations: Arc::default() }
    }

    /// Begins an operation, unless one of its kind runs.
    pub(super) fn begin<F>(
        &self,
        surface: &Surface,
        kind: &'static str,
        work: F,
    ) -> Result<Operation, Problem>
    where
        F: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let begun = Operation {
            operation_id: Uuid::now_v7().to_string(),
            kind,
            status: "running",
            started_at: surface.clock.now().to_string(),
            finished_at: None,
            result: None,
            error: None,
        };
        let mut operations = self.operations.lock();
        if operations.iter().any(|one| one.kind == kind && one.status == "running") {
            let detail = format!("an operation of the kind {kind:?} is running");
            return Err(Problem::new(StatusCode::CONFLICT, "operation-running", detail));
        }
        operations.push_back(begun.clone());
        if operations.len() > KEPT_OPERATIONS {
            operations.pop_front();
        }
        drop(operations);
        let (id, all, clock) =
            (begun.operation_id.clone(), Arc::clone(&self.operations), Arc::clone(&surface.clock));
        let worker = self.tasks.spawn(TaskKind::Operation, work);
        self.tasks.spawn(TaskKind::Operation, async move {
            let ended = worker.await.ok().flatten().unwrap_or_else(|| Err("the operation failed".into()));
            let mut all = all.lock();
            if let Some(operation) = all.iter_mut().find(|operation| operation.operation_id == id) {
                operation.finished_at = Some(clock.now().to_string());
                operation.status = if ended.is_ok() { "finished" } else { "failed" };
                match ended {
                    Ok(result) => operation.result = Some(result),
                    Err(error) => operation.error = Some(error),
                }
            }
        });
        Ok(begun)
    }
}

/// The caller has shown the administrator's key.
pub(super) struct Administrator;

impl FromRequestParts<Surface> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Problem> {
        let Some(key) = &surface.administration.key else {
            let detail =
                "this server has no administrator: start it with WORDHOARD_ADMIN_KEY in its environment";
            return Err(Problem::new(StatusCode::FORBIDDEN, "no-administrator", detail));
        };
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        match given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            Some((_, given)) if key.is(given.trim()) => Ok(Self),
            _ => Err(Problem::unauthorized("this needs the administrator's key: Authorization: Bearer …")),
        }
    }
}

/// How an operation stands.
#[utoipa::path(
    get,
    path = "/api/admin/operations/{operation_id}",
    tag = "administration",
    params(("operation_id" = String, Path, description = "As the call that began it gave it")),
    responses(
        (status = 200, body = Operation),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without the administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The server has no administrator"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such operation"),
    )
)]
pub(super) async fn operation(
    _: Administrator,
    State(surface): State<Surface>,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    let operations = surface.administration.operations.lock();
    let found = operations.iter().find(|operation| operation.operation_id == id).cloned();
    found.map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-operation",
            "there is no such operation, or it is long past",
        )
    })
}

impl Operation {
    /// 202, and where to look.
    pub(super) fn accepted(self) -> Response {
        let place = format!("/api/admin/operations/{}", self.operation_id);
        (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(self)).into_response()
    }
}
