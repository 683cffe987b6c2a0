use axum::extract::{RawQuery, State};
use axum::response::Response;
use wordhoard_engine::consistency::Depth;

use super::Surface;
use super::administration::{Administrator, Operation};
use super::problem::{Problem, Problems};
use super::query::Query;
use crate::check_report;

/// Check whether SQL holds all that it should, and put back what the log still has.
///
/// Without `full`, what has changed since the last check without findings.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance/check",
    operation_id = "check",
    tag = "administration",
    params(("full" = Option<bool>, Query, description = "true: everything")),
    responses(
        (status = 202, body = Operation, description = "It has begun; Location says where to look"),
        Problems<(Query, Operation)>,
    )
)]
pub(super) async fn start(
    _: Administrator,
    State(surface): State<Surface>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["full"])?;
    let full = query.get::<bool>("full", "true or false")?.unwrap_or(false);
    let depth = if full { Depth::Whole } else { Depth::Recent };
    let engine = surface.engine.clone();
    let work = async move {
        let report = engine.check(depth).await.map_err(|error| error.to_string())?;
        Ok(check_report::json(&report))
    };
    Ok(surface.administration.begin(&surface, "check", work)?.accepted())
}
