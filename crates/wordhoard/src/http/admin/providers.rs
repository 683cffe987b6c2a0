use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::{ProviderReport, ProviderState, SwitchError};
use wordhoard_model::ProviderName;

use crate::http::Surface;
use crate::http::administration::Administrator;
use crate::http::problem::{Problem, ProblemKind, Problems, can_fail};
use crate::http::query::Query;

/// A provider of this server.
#[derive(Serialize, ToSchema)]
pub(super) struct ProviderView {
    name: String,
    /// `closed` (it is called), `open`, `half-open` or `disabled`.
    state: &'static str,
    /// Whether an administrator lets it be called.
    enabled: bool,
    /// Failures since its last success that count towards opening its breaker; 0 once that is open.
    consecutive_failures: u32,
    /// How long it will not be called yet, where its breaker is open.
    open_for_ms: Option<u64>,
    /// Calls that run.
    running: usize,
    /// Calls that wait for their turn.
    waiting: usize,
    /// Calls of native prompts that may run at the same time.
    concurrency: usize,
    /// Calls of the drop-in APIs that may.
    drop_in_concurrency: usize,
    /// Keys that it did not accept when they were used last.
    refused_keys: usize,
    /// Keys whose account has no credit left.
    keys_without_credit: usize,
    /// The models that were called in the last hour, by name, each with the state of its breaker.
    models: BTreeMap<String, &'static str>,
}

/// The providers of this server, by name.
#[derive(Serialize, ToSchema)]
pub(super) struct Providers {
    providers: Vec<ProviderView>,
}

/// What a probe found.
#[derive(Serialize, ToSchema)]
pub(super) struct ProbeView {
    /// Whether a whole answer came.
    ok: bool,
    /// How long that took, or the failure.
    latency_ms: u64,
    /// The model that was asked.
    model: String,
    /// Why there was no whole answer.
    error: Option<String>,
}

/// List the providers: whether they are called, what runs and waits there.
#[utoipa::path(
    get,
    path = "/api/admin/providers",
    operation_id = "list_providers",
    tag = "administration",
    responses(
        (status = 200, description = "All that are configured", body = Providers),
    )
)]
pub(super) async fn list(_: Administrator, State(surface): State<Surface>) -> Json<Providers> {
    let reports = surface.engine.provider_reports();
    let providers = reports.iter().map(|(name, report)| ProviderView::of(name, report)).collect();
    Json(Providers { providers })
}

/// Let a provider be called again, on every server of this database.
#[utoipa::path(
    post,
    path = "/api/admin/providers/{name}/enable",
    operation_id = "enable_provider",
    tag = "administration",
    params(("name" = String, Path, description = "The part before the colon of its models")),
    responses(
        (status = 200, description = "The provider as it is now", body = ProviderView),
        Problems<SwitchError>,
    )
)]
pub(super) async fn enable(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(name): Path<String>,
) -> Result<Json<ProviderView>, Problem> {
    let name = known(&name)?;
    surface.engine.switch_provider(&name, true).await?;
    tracing::info!(provider = %name, by = %caller, "a provider was enabled");
    view(&surface, &name)
}

/// Let nobody call a provider, on any server of this database. What it answers just now goes on.
#[utoipa::path(
    post,
    path = "/api/admin/providers/{name}/disable",
    operation_id = "disable_provider",
    tag = "administration",
    params(("name" = String, Path, description = "The part before the colon of its models")),
    responses(
        (status = 200, description = "The provider as it is now", body = ProviderView),
        Problems<SwitchError>,
    )
)]
pub(super) async fn disable(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(name): Path<String>,
) -> Result<Json<ProviderView>, Problem> {
    let name = known(&name)?;
    surface.engine.switch_provider(&name, false).await?;
    tracing::info!(provider = %name, by = %caller, "a provider was disabled");
    view(&surface, &name)
}

/// Forget all that was decided about a provider: it is enabled, and its breaker is closed.
#[utoipa::path(
    post,
    path = "/api/admin/providers/{name}/reset",
    operation_id = "reset_provider",
    tag = "administration",
    params(("name" = String, Path, description = "The part before the colon of its models")),
    responses(
        (status = 200, description = "The provider as it is now", body = ProviderView),
        Problems<SwitchError>,
    )
)]
pub(super) async fn reset(
    Administrator(caller): Administrator,
    State(surface): State<Surface>,
    Path(name): Path<String>,
) -> Result<Json<ProviderView>, Problem> {
    let name = known(&name)?;
    surface.engine.reset_provider(&name).await?;
    tracing::info!(provider = %name, by = %caller, "a provider was reset");
    view(&surface, &name)
}

/// Ask a provider for the least that it can answer, within 5 seconds. Nothing is recorded.
#[utoipa::path(
    post,
    path = "/api/admin/providers/{name}/probe",
    operation_id = "probe_provider",
    tag = "administration",
    params(
        ("name" = String, Path, description = "The part before the colon of its models"),
        ("model" = Option<String>, Query, description = "The model to ask; the first that the configuration names if left out", min_length = 1),
    ),
    responses(
        (status = 200, body = ProbeView, description = "It was asked; `ok` says whether it answered"),
        Problems<(Query, ProbeView, SwitchError)>,
    )
)]
pub(super) async fn probe(
    _: Administrator,
    State(surface): State<Surface>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProbeView>, Problem> {
    let name = known(&name)?;
    drop(view(&surface, &name)?);
    let query = Query::parse(query.as_deref(), &["model"])?;
    let model = query.text("model")?.or_else(|| surface.catalogue.any_model_of(&name)).ok_or_else(|| {
        Problem::new(
            ProblemKind::NoModel,
            "the configuration names no model of this provider: name one with ?model=",
        )
        .field("model")
    })?;
    let probe = surface.engine.probe(&name, &model).await?;
    Ok(Json(ProbeView {
        ok: probe.failure.is_none(),
        latency_ms: probe.latency.as_millis() as u64,
        model,
        error: probe.failure,
    }))
}

fn known(name: &str) -> Result<ProviderName, Problem> {
    ProviderName::new(name).map_err(|_| no_such_provider())
}

fn view(surface: &Surface, name: &ProviderName) -> Result<Json<ProviderView>, Problem> {
    let reports = surface.engine.provider_reports();
    let report = reports.get(name).ok_or_else(no_such_provider)?;
    Ok(Json(ProviderView::of(name, report)))
}

impl ProviderView {
    fn of(name: &ProviderName, report: &ProviderReport) -> Self {
        Self {
            name: name.as_str().to_owned(),
            state: report.state.as_str(),
            enabled: report.state != ProviderState::Disabled,
            consecutive_failures: report.consecutive_failures,
            open_for_ms: report.open_for.map(|left| left.as_millis() as u64),
            running: report.running,
            waiting: report.waiting,
            concurrency: report.concurrency,
            drop_in_concurrency: report.drop_in_concurrency,
            refused_keys: report.refused_keys,
            keys_without_credit: report.keys_without_credit,
            models: report.models.iter().map(|(name, state)| (name.clone(), state.as_str())).collect(),
        }
    }
}

fn no_such_provider() -> Problem {
    Problem::new(ProblemKind::NoSuchProvider, "this server has no such provider")
}

can_fail!(SwitchError: NoSuchProvider, SwitchUnavailable);
can_fail!(ProbeView: NoModel);

impl From<SwitchError> for Problem {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Unknown(_) => no_such_provider(),
            SwitchError::Unavailable(problem) => {
                Self::new(ProblemKind::SwitchUnavailable, problem).retry_after(2)
            }
        }
    }
}
