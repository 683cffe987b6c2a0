use axum::extract::{Path, State};
use axum::response::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Surface;
use crate::http::administration::{Administrator, Operation};
use crate::http::problem::{Problem, ProblemKind, Problems, can_fail};

/// Long operations, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Operations {
    operations: Vec<Operation>,
}

can_fail!(Operations: NoSuchOperation);

/// List the long operations that were begun on this server since its start: the newest hundred.
#[utoipa::path(
    get,
    path = "/api/admin/operations",
    operation_id = "list_operations",
    tag = "administration",
    responses(
        (status = 200, description = "The latest of them", body = Operations),
    )
)]
pub(super) async fn list(_: Administrator, State(surface): State<Surface>) -> Json<Operations> {
    Json(Operations { operations: surface.administration.operations() })
}

/// How an operation stands.
#[utoipa::path(
    get,
    path = "/api/admin/operations/{operation_id}",
    operation_id = "get_operation",
    tag = "administration",
    params(("operation_id" = String, Path, description = "As the call that began it gave it")),
    responses(
        (status = 200, description = "The operation as it stands", body = Operation),
        Problems<Operations>,
    )
)]
pub(super) async fn one(
    _: Administrator,
    State(surface): State<Surface>,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    surface.administration.operation(&id).map(Json).ok_or_else(|| {
        let detail = "there is no such operation, or it is long past";
        Problem::new(ProblemKind::NoSuchOperation, detail)
    })
}
