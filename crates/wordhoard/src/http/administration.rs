//! The long operations that administrators have begun.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use wordhoard_engine::{TaskKind, Tasks};

use super::Surface;
pub(super) use super::authorisation::Administrator;
use super::problem::{Problem, ProblemKind, can_fail};

/// Operations that are remembered.
const KEPT_OPERATIONS: usize = 100;

/// What was begun.
#[derive(Clone, Debug)]
pub(crate) struct Administration {
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
    /// How far it is, in words, where it tells.
    progress: Option<String>,
    /// What it has found or done, once it has finished.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed.
    error: Option<String>,
}

can_fail!(Operation: OperationRunning);

impl Administration {
    pub(crate) fn new(tasks: Tasks) -> Self {
        Self { tasks, operations: Arc::default() }
    }

    /// All that are remembered, newest first.
    pub(super) fn operations(&self) -> Vec<Operation> {
        self.operations.lock().iter().rev().cloned().collect()
    }

    /// The operation of that id.
    pub(super) fn operation(&self, id: &str) -> Option<Operation> {
        self.operations.lock().iter().find(|operation| operation.operation_id == id).cloned()
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
        self.begin_telling(surface, kind, |_| work)
    }

    /// The same for work that tells how far it is.
    pub(super) fn begin_telling<F>(
        &self,
        surface: &Surface,
        kind: &'static str,
        work: impl FnOnce(Teller) -> F,
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
            progress: None,
            result: None,
            error: None,
        };
        let mut operations = self.operations.lock();
        if operations.iter().any(|one| one.kind == kind && one.status == "running") {
            let detail = format!("an operation of the kind {kind:?} is running");
            return Err(Problem::new(ProblemKind::OperationRunning, detail));
        }
        operations.push_back(begun.clone());
        if operations.len() > KEPT_OPERATIONS {
            operations.pop_front();
        }
        drop(operations);
        let (id, all, clock) =
            (begun.operation_id.clone(), Arc::clone(&self.operations), Arc::clone(&surface.clock));
        let teller = Teller { operation_id: id.clone(), operations: Arc::clone(&all) };
        let worker = self.tasks.spawn(TaskKind::Operation, work(teller));
        self.tasks.spawn(TaskKind::Operation, async move {
            let ended = worker.await.ok().flatten().unwrap_or_else(|| Err("the operation failed".into()));
            let mut all = all.lock();
            if let Some(operation) = all.iter_mut().find(|operation| operation.operation_id == id) {
                operation.finished_at = Some(clock.now().to_string());
                operation.progress = None;
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

/// Tells how far an operation is.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    operation_id: String,
    operations: Arc<Mutex<VecDeque<Operation>>>,
}

impl Teller {
    pub(super) fn tell(&self, progress: String) {
        let mut all = self.operations.lock();
        if let Some(operation) = all.iter_mut().find(|one| one.operation_id == self.operation_id) {
            operation.progress = Some(progress);
        }
    }
}

impl Operation {
    /// 202, and where to look.
    pub(super) fn accepted(self) -> Response {
        let place = format!("/api/admin/operations/{}", self.operation_id);
        (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(self)).into_response()
    }
}
