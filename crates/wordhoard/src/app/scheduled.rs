//! The jobs that the server does by itself.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use wordhoard_engine::{Engine, TaskKind, Tasks};

use crate::config::Schedule;
use crate::http::Surface;
use crate::maintenance::{self, Job, JobResult, Maintenance};
use crate::prune_report;
use crate::shutdown::{Phase, Shutdown};

const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Where jobs are added. None begins once the server stops, and those that run are given up.
pub(super) struct Scheduled {
    maintenance: Maintenance,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Scheduled {
    pub(super) fn new(maintenance: Maintenance, tasks: Tasks, shutdown: &Shutdown) -> Self {
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        shutdown.register(Phase::Refuse, "maintenance", STOP_LIMIT, move || async move {
            stopping.cancel();
            Ok(())
        });
        Self { maintenance, tasks, stop }
    }

    pub(super) fn add(
        &self,
        name: &'static str,
        schedule: &Schedule,
        work: impl Fn() -> BoxFuture<'static, JobResult> + Send + Sync + 'static,
    ) {
        let job = Job { name, schedule: schedule.clone(), work: Box::new(work) };
        let watch = maintenance::watch(self.maintenance.clone(), job, self.stop.clone());
        self.tasks.spawn(TaskKind::Maintenance, watch);
    }
}

pub(super) fn backup_work(
    surface: &Surface,
) -> impl Fn() -> BoxFuture<'static, JobResult> + Send + Sync + 'static {
    let surface = surface.clone();
    move || surface.backup_job(|_| {}).boxed()
}

pub(super) fn prune_work(
    engine: &Engine,
    retention_days: u32,
) -> impl Fn() -> BoxFuture<'static, JobResult> + Send + Sync + 'static {
    let engine = engine.clone();
    move || {
        let engine = engine.clone();
        async move {
            let report = engine.prune(retention_days, false).await.map_err(|error| error.to_string())?;
            Ok(prune_report::json(&report))
        }
        .boxed()
    }
}
