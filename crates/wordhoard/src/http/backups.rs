use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wordhoard_backup::{BackupName, Error};
use wordhoard_model::Timestamp;

use super::administration::{Administrator, Operation, Teller};
use super::body::JsonBody;
use super::problem::{Problem, ProblemKind, Problems, can_fail};
use super::{Surface, body};
use crate::backup::RestoreOptions;
use crate::maintenance::{BACKUP, TurnError};

/// How far a restore goes. All fields may be left out, and the body, too.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RestoreBody {
    /// Up to this moment (RFC 3339); all that the archive has if left out.
    #[schema(format = DateTime)]
    to: Option<String>,
    /// False: as it was when the backup was made, nothing is replayed.
    replay: Option<bool>,
    /// True: records that are nowhere are passed over.
    accept_gaps: Option<bool>,
}

/// The backups, newest first.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct BackupList {
    /// Each with `filename`, `size_bytes`, `created_at`, `verified`, and `places`: `local`, `remote`.
    #[schema(value_type = Vec<Object>)]
    backups: Vec<Value>,
    /// Why the object store could not be asked, where it could not.
    remote_problem: Option<String>,
}

/// Make a backup now.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance/backup",
    tag = "administration",
    responses(
        (status = 202, description = "It is being made; see Location", body = super::administration::Operation),
        Problems<(TurnError, Operation)>,
    )
)]
pub(super) async fn make(_: Administrator, State(surface): State<Surface>) -> Result<Response, Problem> {
    let turn = surface.maintenance.turn(BACKUP).await?;
    let begun = surface.administration.begin_telling(&surface, BACKUP, |teller| {
        let told = move |phase| teller.tell(crate::backup::describe_making(phase));
        turn.run(surface.backup_job(told))
    });
    Ok(begun?.accepted())
}

/// List the backups.
#[utoipa::path(
    get,
    path = "/api/admin/maintenance/backups",
    tag = "administration",
    responses(
        (status = 200, description = "All that are kept", body = BackupList),
        Problems<Error>,
    )
)]
pub(super) async fn list(
    _: Administrator,
    State(surface): State<Surface>,
) -> Result<Json<BackupList>, Problem> {
    let listed = surface.backups.list().await?;
    let (there, remote_problem) = match surface.backups.remote_names().await {
        Ok(names) => (names, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let mut backups: Vec<Value> = listed.iter().map(crate::cli::backup::line).collect();
    for backup in &mut backups {
        let is_there = there.iter().any(|name| backup["filename"] == *name);
        backup["places"] = if is_there { json!(["local", "remote"]) } else { json!(["local"]) };
    }
    for name in there {
        let is_here = listed.iter().any(|one| one.name.as_str() == name);
        if let (false, Ok(parsed)) = (is_here, name.parse::<BackupName>()) {
            let created_at = parsed.begun_at().to_string();
            backups.push(json!({ "filename": name, "created_at": created_at, "places": ["remote"] }));
        }
    }
    backups.sort_by(|one, other| other["filename"].as_str().cmp(&one["filename"].as_str()));
    Ok(Json(BackupList { backups, remote_problem }))
}

/// Restore a backup.
///
/// The backup is verified before this answers. Then a database is built from it beside the one that is used and brought
/// forward from the archive; when that is done, the server stops in order, puts it in place, and starts again in the same process.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance/restore/{backup_filename}",
    tag = "administration",
    params(("backup_filename" = String, Path, description = "As the list shows it", pattern = r"^wordhoard-20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z-[0-9a-f]{8}$")),
    request_body = Option<RestoreBody>,
    responses(
        (status = 202, description = "It is being restored; see Location", body = super::administration::Operation),
        Problems<(JsonBody, RestoreOptions, Error, Operation)>,
    )
)]
pub(super) async fn restore(
    _: Administrator,
    State(surface): State<Surface>,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Error::BadName("(not UTF-8)".into()))?;
    let name: BackupName = name.parse()?;
    let bytes = surface.bodies.read(&headers, body).await?;
    let options = options(&headers, &bytes)?;
    if options.to.is_some() || !options.replays {
        ensure_alone(&surface).await?;
    }
    surface.backups.verify(&name).await?;
    let (backups, restart, clock) = (surface.backups.clone(), surface.restart.clone(), surface.clock.clone());
    let engine = surface.engine.clone();
    let work = |teller: Teller| async move {
        engine.hold_log(true);
        // What is not archived yet is read from the log; this only makes that part short.
        if let Err(problem) = engine.archive_now().await {
            tracing::warn!(problem, "the archive is behind; the restore reads the rest from the log");
        }
        let tell = |phase| teller.tell(crate::backup::describe_phase(phase));
        let prepared = backups.prepare(&name, options, clock.now(), &tell).await;
        let prepared = prepared.map_err(|error| {
            engine.hold_log(false);
            error.to_string()
        })?;
        restart.restart("a restored database is to be put in place");
        Ok(json!({
            "restored": prepared.backup,
            "to": prepared.to,
            "replayed_events": prepared.replayed_events,
            "last_event_at": prepared.last_event_at,
            "missing_records": prepared.missing_records,
            "restore_id": prepared.id,
            "next": "the server starts again and puts it in place",
        }))
    };
    Ok(surface.administration.begin_telling(&surface, "restore", work)?.accepted())
}

can_fail!(RestoreOptions: InvalidField, OtherServers);

fn options(headers: &HeaderMap, bytes: &[u8]) -> Result<RestoreOptions, Problem> {
    let fields = Value::Object(body::json_object_if_any(headers, bytes)?);
    let written: RestoreBody = serde_json::from_value(fields)
        .map_err(|error| Problem::new(ProblemKind::InvalidField, error.to_string()))?;
    let to = written.to.as_deref().map(str::parse::<Timestamp>).transpose().map_err(|_| {
        let detail = "to must be a moment such as 2026-11-25T14:00:00Z";
        Problem::new(ProblemKind::InvalidField, detail).field("to")
    })?;
    let replays = written.replay.unwrap_or(true);
    if to.is_some() && !replays {
        let detail = "to needs the replay";
        return Err(Problem::new(ProblemKind::InvalidField, detail).field("replay"));
    }
    Ok(RestoreOptions { to, replays, accept_gaps: written.accept_gaps.unwrap_or(false) })
}

/// Other servers would bring back what came after the moment that is restored.
async fn ensure_alone(surface: &Surface) -> Result<(), Problem> {
    if surface.engine.has_other_servers() {
        let detail = "other servers use this database: stop them before its past is restored";
        return Err(Problem::new(ProblemKind::OtherServers, detail));
    }
    Ok(())
}

can_fail!(
    Error: BadBackupName, NoSuchBackup, OperationRunning, NoSpace, BackupNotRestorable, BackupUnavailable, BackupFailed
);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::BadName(_) => Self::new(ProblemKind::BadBackupName, detail).field("backup_filename"),
            Error::NoSuchBackup(_) => Self::new(ProblemKind::NoSuchBackup, detail),
            Error::Pending | Error::Busy(_) => Self::new(ProblemKind::OperationRunning, detail),
            Error::NoSpace { .. } => Self::new(ProblemKind::NoSpace, detail),
            error if error.is_of_the_backup() => Self::new(ProblemKind::BackupNotRestorable, detail),
            Error::Database(_) | Error::Remote(_) => {
                Self::new(ProblemKind::BackupUnavailable, detail).retry_after(10)
            }
            _ => Self::new(ProblemKind::BackupFailed, detail),
        }
    }
}
