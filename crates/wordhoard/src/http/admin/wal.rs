use axum::extract::State;
use axum::response::{Json, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wordhoard_wal::inspect;

use crate::app::WAL_DIR;
use crate::http::Surface;
use crate::http::administration::{Administrator, Operation};
use crate::http::problem::{Problem, Problems};

/// How the write-ahead log stands. Positions are exclusive ends: a mark of N speaks of the records before N.
#[derive(Serialize, ToSchema)]
pub(super) struct WalView {
    /// `open`, `full`, `latched` or `closed`.
    state: &'static str,
    /// The first record that it still holds.
    first: u64,
    /// What SQL has.
    applied: u64,
    /// What is on disk for good.
    durable: u64,
    /// Bytes of all segments, with the one that is reserved ahead.
    size_bytes: u64,
    /// Bytes that it may have; none where only the free space limits it.
    limit_bytes: Option<u64>,
    /// Bytes free on its file system.
    free_bytes: u64,
    segments: Vec<SegmentView>,
}

/// One file of the log.
#[derive(Serialize, ToSchema)]
struct SegmentView {
    name: String,
    first: u64,
    end: u64,
    size_bytes: u64,
    /// Nothing more is written to it.
    complete: bool,
}

/// Show the write-ahead log: its marks, its segments and what it takes on disk.
#[utoipa::path(
    get,
    path = "/api/admin/wal",
    operation_id = "show_wal",
    tag = "administration",
    responses(
        (status = 200, description = "The segments and positions", body = WalView),
    )
)]
pub(super) async fn show(_: Administrator, State(surface): State<Surface>) -> Json<WalView> {
    let report = surface.engine.log_report();
    let segment = |segment: wordhoard_wal::SegmentInfo| SegmentView {
        name: segment.name,
        first: segment.first.0,
        end: segment.end.0,
        size_bytes: segment.size_bytes,
        complete: segment.complete,
    };
    Json(WalView {
        state: surface.engine.storage().as_str(),
        first: report.usage.first.0,
        applied: report.applied.0,
        durable: report.durable.0,
        size_bytes: report.usage.size_bytes,
        limit_bytes: surface.config.limits.wal_limit_bytes,
        free_bytes: report.usage.free_bytes,
        segments: report.segments.into_iter().map(segment).collect(),
    })
}

/// Read the whole write-ahead log and check every checksum, beside what is written.
#[utoipa::path(
    post,
    path = "/api/admin/wal/verify",
    operation_id = "verify_wal",
    tag = "administration",
    responses(
        (status = 202, body = Operation, description = "It has begun; Location says where to look"),
        Problems<Operation>,
    )
)]
pub(super) async fn verify(_: Administrator, State(surface): State<Surface>) -> Result<Response, Problem> {
    let dir = surface.config.data_dir.join(WAL_DIR);
    let work = async move {
        let verified = tokio::task::spawn_blocking(move || inspect::verify(&dir)).await;
        let summary = verified.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(verified_view(&summary))
    };
    Ok(surface.administration.begin(&surface, "wal-verify", work)?.accepted())
}

fn verified_view(summary: &inspect::Summary) -> Value {
    let damage = |damage: &wordhoard_wal::Damage| {
        json!({
            "segment": damage.segment,
            "kind": format!("{:?}", damage.kind),
            "offset": damage.offset,
            "missing_from": damage.missing.start.0,
            "missing_to": damage.missing.end.0,
        })
    };
    json!({
        "intact": summary.damage.is_empty(),
        "first": summary.first.0,
        "end": summary.end.0,
        "segments": summary.segments.len(),
        "batches": summary.segments.iter().map(|segment| segment.batches).sum::<u64>(),
        "torn_bytes": summary.torn_bytes,
        "damage": summary.damage.iter().map(damage).collect::<Vec<_>>(),
    })
}
