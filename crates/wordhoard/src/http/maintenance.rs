use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Json, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_model::Invalid;
use wordhoard_wal::SegmentInfo;

use super::Surface;
use super::administration::{Administrator, Operation};
use super::body;
use super::problem::Problem;
use crate::maintenance::{PRUNE, TurnError};
use crate::prune_report;

/// The longest body that makes sense.
const BODY_LIMIT_BYTES: usize = 4 << 10;
const RETENTION_DAYS: std::ops::RangeInclusive<u64> = 1..=36_500;

/// What to prune.
#[derive(Debug, PartialEq, Eq, ToSchema)]
pub(super) struct PruneBody {
    /// Requests that were accepted more than so many days ago; as configured if left out.
    retention_days: Option<u32>,
    /// Only count.
    dry_run: Option<bool>,
}

/// A segment of the log.
#[derive(Serialize, ToSchema)]
pub(super) struct Segment {
    name: String,
    /// The position of its first record.
    first: u64,
    /// The position behind its last one.
    end: u64,
    size_bytes: u64,
    /// Nothing more is written to it.
    complete: bool,
}

/// The log before and after.
#[derive(Serialize, ToSchema)]
pub(super) struct Rotated {
    /// Whether a fresh segment was begun. Otherwise it begins with the next record, or the current one has none yet.
    rotated: bool,
    before: Vec<Segment>,
    after: Vec<Segment>,
}

/// Remove requests that are older than they are to be kept.
///
/// Holds up nobody; a request that runs stays. The body may be empty.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance/prune",
    tag = "administration",
    request_body = Option<PruneBody>,
    responses(
        (status = 202, body = Operation, description = "It has begun; Location says where to look"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Not JSON"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too long"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Not application/json"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without the administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The server has no administrator"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "One is running, on any server of this database"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A bad field"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "SQL cannot be asked now"),
    )
)]
pub(super) async fn prune(
    _: Administrator,
    State(surface): State<Surface>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read_within(BODY_LIMIT_BYTES, &headers, body).await?;
    let fields = if bytes.is_empty() { Map::new() } else { body::json_object(&headers, &bytes)? };
    let PruneBody { retention_days, dry_run } =
        parse(fields).map_err(|broken| Problem::invalid(&[broken]))?;
    let days = retention_days.unwrap_or(surface.retention_days);
    let engine = surface.engine.clone();
    let dry_run = dry_run.unwrap_or(false);
    let work = async move {
        let report = engine.prune(days, dry_run).await.map_err(|error| error.to_string())?;
        Ok(prune_report::json(&report))
    };
    if dry_run {
        return Ok(surface.administration.begin(&surface, "prune-dry-run", work)?.accepted());
    }
    let turn = surface.maintenance.turn(PRUNE).await?;
    Ok(surface.administration.begin(&surface, PRUNE, turn.run(work))?.accepted())
}

fn parse(fields: Map<String, Value>) -> Result<PruneBody, Invalid> {
    let mut parsed = PruneBody { retention_days: None, dry_run: None };
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("retention_days" | "dry_run", Value::Null) => {}
            ("retention_days", value) => {
                let days = value.as_u64().filter(|days| RETENTION_DAYS.contains(days));
                let days = days.and_then(|days| u32::try_from(days).ok());
                let wrong = || Invalid::shape("retention_days", "must be a whole number from 1 to 36500");
                parsed.retention_days = Some(days.ok_or_else(wrong)?);
            }
            ("dry_run", Value::Bool(dry_run)) => parsed.dry_run = Some(dry_run),
            ("dry_run", _) => return Err(Invalid::shape("dry_run", "must be true or false")),
            (unknown, _) => return Err(Invalid::shape(unknown, "is not a field of this call")),
        }
    }
    Ok(parsed)
}

/// Begin a fresh segment of the log.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance/wal-rotate",
    tag = "administration",
    responses(
        (status = 200, body = Rotated),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without the administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The server has no administrator"),
    )
)]
pub(super) async fn rotate(_: Administrator, State(surface): State<Surface>) -> Json<Rotated> {
    let rotation = surface.engine.rotate_log().await;
    let newest = |segments: &[SegmentInfo]| segments.last().map(|segment| segment.first);
    let rotated = newest(&rotation.before) != newest(&rotation.after);
    let shown = |segments: Vec<SegmentInfo>| segments.into_iter().map(segment).collect();
    Json(Rotated { rotated, before: shown(rotation.before), after: shown(rotation.after) })
}

fn segment(info: SegmentInfo) -> Segment {
    let SegmentInfo { name, first, end, size_bytes, complete } = info;
    Segment { name, first: first.0, end: end.0, size_bytes, complete }
}

impl From<TurnError> for Problem {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Running(_) => Self::new(StatusCode::CONFLICT, "operation-running", error.to_string()),
            TurnError::Store(error) => Self::unavailable("database-unavailable", error.to_string(), 5),
        }
    }
}
