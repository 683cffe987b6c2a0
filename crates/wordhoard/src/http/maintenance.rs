use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_model::Invalid;
use wordhoard_wal::SegmentInfo;

use super::Surface;
use super::administration::{Administrator, Operation};
use super::body::{self, JsonBody, whole_number};
use super::problem::{Problem, ProblemKind, Problems, can_fail};
use crate::maintenance::{PRUNE, TurnError};
use crate::prune_report;

/// The longest body that makes sense.
const BODY_LIMIT_BYTES: usize = 4 << 10;
const RETENTION_DAYS: std::ops::RangeInclusive<u64> = 1..=36_500;

/// What to prune.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PruneBody {
    /// Requests that were accepted more than so many days ago; as configured if left out.
    #[schema(minimum = 1, maximum = 36_500)]
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
        Problems<(JsonBody, Invalid, TurnError, Operation)>,
    )
)]
pub(super) async fn prune(
    _: Administrator,
    State(surface): State<Surface>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read_within(BODY_LIMIT_BYTES, &headers, body).await?;
    let fields = body::json_object_if_any(&headers, &bytes)?;
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
                let days = whole_number(&value).filter(|days| RETENTION_DAYS.contains(days));
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
        (status = 200, description = "A segment was begun", body = Rotated),
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

can_fail!(TurnError: OperationRunning, DatabaseUnavailable);

impl From<TurnError> for Problem {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Running(_) => Self::new(ProblemKind::OperationRunning, error.to_string()),
            TurnError::Store(error) => {
                Self::new(ProblemKind::DatabaseUnavailable, error.to_string()).retry_after(5)
            }
        }
    }
}
