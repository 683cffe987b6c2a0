use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use wordhoard_backup::{BackupName, Error};
use wordhoard_model::Timestamp;

use super::administration::{Administrator, Teller};
use super::problem::Problem;
use super::{Surface, body};
use crate::backup::RestoreOptions;
use crate::maintenance::BACKUP;

/// How far a restore goes. All fields may be left out, and the body, too.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RestoreBody {
    /// Up to this moment (RFC 3339); all that the archive has if left out.
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
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without an administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key is for something else"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "One is being made, by any server of this database"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "SQL cannot be asked now"),
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
        (status = 200, body = BackupList),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without an administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key is for something else"),
        (status = 500, body = Problem, content_type = "application/problem+json", description = "Their folder cannot be read"),
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
    params(("backup_filename" = String, Path, description = "As the list shows it")),
    request_body = Option<RestoreBody>,
    responses(
        (status = 202, description = "It is being restored; see Location", body = super::administration::Operation),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "No name of a backup, or a bad body"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too long"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Not application/json"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "Without an administrator's key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key is for something else"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such backup"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "A restore runs, or other servers use the database"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The backup cannot be trusted, or the moment cannot be reached; or a field is unknown"),
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

fn options(headers: &HeaderMap, bytes: &[u8]) -> Result<RestoreOptions, Problem> {
    let written: RestoreBody =
        match bytes.is_empty() {
            true => RestoreBody::default(),
            false => serde_json::from_value(Value::Object(body::json_object(headers, bytes)?)).map_err(
                |error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", error.to_string()),
            )?,
        };
    let to = written.to.as_deref().map(str::parse::<Timestamp>).transpose().map_err(|_| {
        let detail = "to must be a moment such as 2026-11-25T14:00:00Z";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", detail).field("to")
    })?;
    let replays = written.replay.unwrap_or(true);
    if to.is_some() && !replays {
        let detail = "to needs the replay";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", detail).field("replay"));
    }
    Ok(RestoreOptions { to, replays, accept_gaps: written.accept_gaps.unwrap_or(false) })
}

/// Other servers would bring back what came after the moment that is restored.
async fn ensure_alone(surface: &Surface) -> Result<(), Problem> {
    if surface.engine.has_other_servers() {
        let detail = "other servers use this database: stop them before its past is restored";
        return Err(Problem::new(StatusCode::CONFLICT, "other-servers", detail));
    }
    Ok(())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::BadName(_) => Self::bad_request("bad-backup-name", detail).field("backup_filename"),
            Error::NoSuchBackup(_) => Self::new(StatusCode::NOT_FOUND, "no-such-backup", detail),
            Error::Pending | Error::Busy(_) => Self::new(StatusCode::CONFLICT, "operation-running", detail),
            Error::NoSpace { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, "no-space", detail),
            error if error.is_of_the_backup() => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "backup-not-restorable", detail)
            }
            Error::Database(_) | Error::Remote(_) => Self::unavailable("backup-unavailable", detail, 10),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "backup-failed", detail),
        }
    }
}
