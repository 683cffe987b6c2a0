use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wordhoard_model::KeyLimits;
use wordhoard_store::{Error, KeyRecord, Scope};

use super::key_limits::{self, Limits, Usage};
use crate::access::{FreshKey, NewKey};
use crate::http::Surface;
use crate::http::administration::Administrator;
use crate::http::body::{self, JsonBody};
use crate::http::problem::{Problem, ProblemKind, Problems, can_fail};

/// A key to make.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKeyBody {
    /// `use`, `metrics` or `admin`.
    #[schema(pattern = "^(use|metrics|admin)$")]
    scope: String,
    /// What people shall call it: at most 100 characters, none of them a control character.
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// What it may use; without it, it is not limited.
    limits: Option<Limits>,
    /// The group whose keys see each other's requests: as `name`, and not blank.
    #[schema(
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    group: Option<String>,
}

/// A key, without the key.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyView {
    key_id: String,
    name: String,
    /// `use`, `metrics` or `admin`.
    scope: &'static str,
    /// The group whose keys see each other's requests, where it is in one.
    group: Option<String>,
    created_at: String,
    /// When it was taken away, if it was.
    revoked_at: Option<String>,
    /// What it may use; null where nothing is limited.
    limits: Option<Limits>,
    /// What it uses.
    usage: Usage,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedKey {
    /// The key. It is shown this once.
    key: String,
    #[serde(flatten)]
    view: KeyView,
}

/// All keys that ever were.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<KeyView>,
}

/// List the keys, revoked ones included, oldest first.
#[utoipa::path(
    get,
    path = "/api/admin/keys",
    operation_id = "list_keys",
    tag = "administration",
    responses(
        (status = 200, description = "All that there are", body = Keys),
        Problems<KeyRecord>,
    )
)]
pub(super) async fn list(_: Administrator, State(surface): State<Surface>) -> Result<Json<Keys>, Problem> {
    let keys = surface.store.keys().await.map_err(unavailable)?;
    Ok(Json(Keys { keys: keys.into_iter().map(|key| KeyView::of(key, &surface)).collect() }))
}

/// Make a key. The answer has it, this once.
#[utoipa::path(
    post,
    path = "/api/admin/keys",
    operation_id = "create_key",
    tag = "administration",
    request_body = NewKeyBody,
    responses(
        (status = 201, description = "The key, which is not shown again", body = CreatedKey),
        Problems<(JsonBody, NewKey, FreshKey, KeyRecord)>,
    )
)]
pub(super) async fn create(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(&headers, body).await?;
    let new = parse(body::json_object(&headers, &bytes)?)?;
    let made = FreshKey::make(new, surface.clock.now());
    let FreshKey { key, record } =
        made.map_err(|error| Problem::new(ProblemKind::NoRandomBytes, error.to_string()))?;
    surface.store.add_key(record.clone()).await.map_err(unavailable)?;
    tracing::info!(key_id = %record.id, scope = record.scope.as_str(), by = %caller, "a key was made");
    know_at_once(&surface).await;
    let created = CreatedKey { key, view: KeyView::of(record, &surface) };
    let mut response = (StatusCode::CREATED, Json(created)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Take a key away. It opens nothing from now on: here at once, on the other servers within a second.
#[utoipa::path(
    delete,
    path = "/api/admin/keys/{key_id}",
    operation_id = "revoke_key",
    tag = "administration",
    params(("key_id" = String, Path, description = "As the list gives it")),
    responses(
        (status = 200, description = "The key as it is now", body = KeyView),
        Problems<KeyView>,
    )
)]
pub(super) async fn revoke(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, Problem> {
    let id = id.parse().map_err(|_| no_such_key())?;
    let revoked = surface.store.revoke_key(id, surface.clock.now()).await.map_err(unavailable)?;
    let record = revoked.ok_or_else(no_such_key)?;
    tracing::info!(key_id = %record.id, by = %caller, "a key was revoked");
    know_at_once(&surface).await;
    Ok(Json(KeyView::of(record, &surface)))
}

/// What SQL now says counts here before the answer goes out. If SQL is gone again, the next poll hears of it.
pub(super) async fn know_at_once(surface: &Surface) {
    if let Err(error) = surface.access.refresh().await {
        tracing::warn!(%error, "a change of keys counts here only once SQL can be asked");
    }
}

can_fail!(KeyView: NoSuchKey, KeysUnavailable);
can_fail!(KeyRecord: KeysUnavailable);
can_fail!(FreshKey: NoRandomBytes);
can_fail!(NewKey: InvalidField);

pub(super) fn no_such_key() -> Problem {
    Problem::new(ProblemKind::NoSuchKey, "there is no key with this id")
}

fn parse(mut fields: Map<String, Value>) -> Result<NewKey, Problem> {
    let wrong = |field: &str, what: &str| {
        let detail = format!("{field} {what}");
        Err(Problem::new(ProblemKind::InvalidField, detail).field(field))
    };
    let scope = match fields.remove("scope") {
        Some(Value::String(text)) => Scope::from_name(&text),
        _ => None,
    };
    let Some(scope) = scope else { return wrong("scope", "must be \"use\", \"metrics\" or \"admin\"") };
    let name = match fields.remove("name") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(_) => return wrong("name", "must be a string"),
    };
    if let Some(problem) = FreshKey::problem_of_name(&name) {
        return wrong("name", &problem);
    }
    let group = match fields.remove("group") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => return wrong("group", "must be a string"),
    };
    if let Some(problem) = group.as_deref().and_then(FreshKey::problem_of_group) {
        return wrong("group", &problem);
    }
    let limits = match fields.remove("limits") {
        None | Some(Value::Null) => KeyLimits::default(),
        Some(Value::Object(limits)) => key_limits::parse(limits)?,
        Some(_) => return wrong("limits", "must be an object"),
    };
    match fields.keys().next() {
        Some(unknown) => {
            let shown: String = unknown.chars().take(80).collect();
            wrong(&shown, "is no field of a key")
        }
        None => Ok(NewKey { name, scope, limits, group }),
    }
}

pub(super) fn unavailable(error: Error) -> Problem {
    Problem::new(ProblemKind::KeysUnavailable, error.to_string()).retry_after(2)
}

impl KeyView {
    pub(super) fn of(record: KeyRecord, surface: &Surface) -> Self {
        Self {
            limits: Limits::of(&record.limits),
            usage: Usage::of(surface.engine.key_usage(record.id)),
            key_id: record.id.to_string(),
            name: record.name,
            scope: record.scope.as_str(),
            group: record.group,
            created_at: record.created_at.to_string(),
            revoked_at: record.revoked_at.map(|at| at.to_string()),
        }
    }
}
