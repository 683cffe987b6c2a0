//! The composition root: the one place that puts concrete parts together, from one checked configuration.

mod ending;
mod leaving;
mod log_ids;
mod prices;
mod profile;
mod restored;
mod scheduled;
mod told;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use ending::Ending;
pub use leaving::LeaveMark;
use leaving::Leaving;
use scheduled::{Scheduled, backup_work, prune_work};
use tokio_util::sync::CancellationToken;
use wordhoard_engine::{
    ArchiveSettings, BootLog, Clock, Durability, Engine, Parts, ProviderSet, RunningStep, Settings,
    SystemClock, TaskKind, Tasks,
};
use wordhoard_model::{KeyId, KeyLimits};
use wordhoard_providers::{HttpSettings, Provider};
use wordhoard_store::{LogKey, PostgresStore, ServerProfile, SqliteStore, Store};
use wordhoard_wal::{DirLock, Options, OsDisk, Recovery, SyncPolicy, Wal};

use crate::access::{Access, FailedTries};
use crate::backup::BackupService;
use crate::config::{ArchiveConfig, Config, DatabaseConfig, ProviderConfig, Reach};
use crate::http::{self, Administration, Bodies, Hosts, Services, Surface};
use crate::lifecycle::RestartHandle;
use crate::maintenance::{BACKUP, Maintenance, PRUNE};
use crate::metrics::{self, HttpMetrics};
use crate::selection::Catalogue;
use crate::server::{Listener, Server, Stage};
use crate::shutdown::Shutdown;

/// The folder of the log within the data directory.
pub const WAL_DIR: &str = "tokens.wal";
/// The file that is locked by the server that owns the data directory.
pub const LOCK_FILE: &str = "lock";

/// How long open connections may take to end once their streams have.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked what the object store lacks of the archive.
const SHIP_INTERVAL: Duration = Duration::from_secs(30);
/// The copy of the switches of providers, within the data directory.
pub const SWITCHES_FILE: &str = "disabled_providers";

/// A running server.
#[derive(Debug)]
pub struct App {
    tasks: Tasks,
    shutdown: Shutdown,
    leaving: Leaving,
    /// Held until all has ended.
    _core: Core,
}

/// The engine on a data directory, without a network.
#[derive(Debug)]
pub struct Core {
    /// The engine.
    pub engine: Engine,
    maintenance: Maintenance,
    /// Held while the data directory is ours.
    _lock: DirLock,
}

impl Core {
    /// Starts the engine on a data directory that is ours, in the order of SPEC FD 7.
    ///
    /// # Errors
    /// What is wrong, and with which part.
    async fn start(
        config: &Config,
        store: Arc<dyn Store>,
        lock: DirLock,
        tasks: Tasks,
        boot: BootLog,
        key_limits: HashMap<KeyId, KeyLimits>,
        profile: ServerProfile,
    ) -> anyhow::Result<Self> {
        let step = boot.begin("log");
        let (wal, damaged_records) = open_wal(config).await?;
        let previous_logs = log_ids::note(&config.data_dir, LogKey(wal.log_id().0))?;
        step.done();
        let providers = config.providers.iter().map(provider).collect::<anyhow::Result<ProviderSet>>()?;
        let clock = Arc::new(SystemClock);
        let maintenance =
            Maintenance::new(Arc::clone(&store), LogKey(wal.log_id().0), Arc::<SystemClock>::clone(&clock));
        let parts = Parts {
            wal,
            store,
            providers,
            clock,
            settings: Settings {
                previous_logs,
                damaged_records,
                key_limits,
                profile,
                ..engine_settings(config)
            },
            tasks,
            boot,
            metrics: Arc::new(metrics::instruments(config)),
        };
        let engine = Engine::start(parts).await.with_context(|| format!("{}", config.database))?;
        Ok(Self { engine, maintenance, _lock: lock })
    }

    /// The same without a server around it.
    ///
    /// # Errors
    /// What is wrong, and with which part.
    pub async fn start_alone(config: &Config) -> anyhow::Result<Self> {
        let lock = lock(config)?;
        let boot = BootLog::default();
        restored::finish(config, &boot).await?;
        let store = store(&config.database)?;
        let key_limits = Access::open(config, Arc::clone(&store)).limits();
        let profile = profile::of(config, None);
        Self::start(config, store, lock, Tasks::default(), boot, key_limits, profile).await
    }

    /// Ends the engine: running requests are interrupted, what is recorded is applied, all is closed.
    pub async fn stop(&self, drain_timeout: Duration) {
        self.engine.begin_drain();
        self.engine.drain(drain_timeout).await;
        self.engine.close().await;
    }
}

impl App {
    /// Starts the server: it answers for its health at once, and all else once this returns.
    ///
    /// # Errors
    /// What is wrong, and with which part.
    pub(crate) async fn start(
        config: Config,
        restart: RestartHandle,
        listener: &mut Option<Listener>,
    ) -> anyhow::Result<Self> {
        let (tasks, boot, shutdown) = (Tasks::default(), BootLog::default(), Shutdown::default());
        let prepared = Ground::prepare(&config, &boot, listener).await;
        let Ground { lock, store, access, backups, listener, listening } = prepared.context(NothingBegun)?;
        let address = listener.address()?;
        let (stop_serving, disconnect) = (CancellationToken::new(), CancellationToken::new());
        let hosts = Arc::new(Hosts::new(address, &config.allowed_hosts));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let started_at = clock.now();
        let stage = Stage::new(http::booting_router(boot.clone(), Arc::clone(&clock), Arc::clone(&hosts)));
        let server = Server::new(listener, config.limits, tasks.clone());
        let serve = server.serve(stage.clone(), stop_serving.clone(), CONNECTION_PATIENCE);
        let serving = tasks.spawn(TaskKind::Server, serve);
        listening.done();

        let key_limits = access.limits();
        let profile = profile::of(&config, Some(address));
        let core =
            Core::start(&config, Arc::clone(&store), lock, tasks.clone(), boot.clone(), key_limits, profile)
                .await?;
        access.tell(&core.engine);
        tasks.spawn(TaskKind::Archiver, tend_backups(backups.clone(), core.engine.stopping()));
        if let Err(error) = access.refresh_if_up(&core.engine).await {
            tracing::warn!(%error, "SQL does not say which keys there are; those of the last run count");
        }
        tasks.spawn(TaskKind::Prices, prices::follow(config.data_dir.clone(), stop_serving.clone()));
        tasks.spawn(TaskKind::Access, access.clone().run(core.engine.clone(), stop_serving.clone()));
        let config = Arc::new(config);
        let surface = Surface::new(Services {
            engine: core.engine.clone(),
            config: Arc::clone(&config),
            store,
            access,
            failed_tries: FailedTries::default(),
            catalogue: Arc::new(Catalogue::new(&config)),
            clock,
            bodies: Bodies::new(&config.limits),
            disconnect: disconnect.clone(),
            backups: backups.clone(),
            maintenance: core.maintenance.clone(),
            retention_days: config.retention.days,
            restart,
            http_metrics: Arc::new(HttpMetrics::default()),
            upkeep: told::upkeep(&core, &backups, &shutdown),
            started_at,
            administration: Administration::new(tasks.clone()),
            document: OnceLock::new(),
        });
        let leaving = Leaving::new(&config.data_dir);
        let ending = Ending {
            engine: core.engine.clone(),
            tasks: tasks.clone(),
            serving,
            stop_serving,
            disconnect,
            leaving: leaving.clone(),
        };
        ending.register(&shutdown, config.drain_timeout);
        let jobs = Scheduled::new(core.maintenance.clone(), tasks.clone(), &shutdown);
        jobs.add(PRUNE, &config.retention.schedule, prune_work(&core.engine, config.retention.days));
        jobs.add(BACKUP, &config.backup.schedule, backup_work(&surface));
        stage.enter(http::router(surface, hosts));
        let providers: Vec<_> =
            core.engine.providers().names().map(|name| name.as_str().to_owned()).collect();
        tracing::info!(
            url = %format!("http://{address}"),
            data_dir = %config.data_dir.display(),
            database = %config.database,
            providers = providers.join(","),
            elapsed_ms = boot.ready(),
            "ready"
        );
        Ok(Self { tasks, shutdown, leaving, _core: core })
    }

    /// Ends when a part has failed that the server cannot go on without.
    pub(crate) async fn vital_task_failed(&self) {
        self.tasks.fatal().await;
    }

    /// Stops in order, see [`Shutdown`]. One that starts anew in this process leaves nobody.
    pub(crate) async fn stop(self, starts_anew: bool) {
        if starts_anew {
            self.leaving.forbid();
        }
        self.shutdown.run().await;
    }
}

/// Sends what the archive gains to the object store, where there is one, and knows which backups there are.
async fn tend_backups(backups: BackupService, stop: CancellationToken) {
    let mut told = false;
    loop {
        backups.look().await;
        match backups.ship_archive().await {
            Ok(_) => told = false,
            Err(error) if !told => {
                told = true;
                tracing::error!(%error, "the archive cannot be sent to the object store; trying again");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SHIP_INTERVAL) => {}
        }
    }
}

/// Nothing has been begun yet: neither the log nor the port is in use, so that another start may be tried in this
/// process.
#[derive(Debug)]
pub(crate) struct NothingBegun;

impl std::fmt::Display for NothingBegun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server cannot be started")
    }
}

/// What a start needs before it begins anything.
struct Ground {
    lock: DirLock,
    store: Arc<dyn Store>,
    access: Access,
    backups: BackupService,
    listener: Listener,
    listening: RunningStep,
}

impl Ground {
    async fn prepare(
        config: &Config,
        boot: &BootLog,
        listener: &mut Option<Listener>,
    ) -> anyhow::Result<Self> {
        let step = boot.begin("lock");
        let lock = lock(config)?;
        step.done();
        // Before anything connects to the database.
        restored::finish(config, boot).await?;
        let store = store(&config.database)?;
        let access = Access::open(config, Arc::clone(&store));
        access.check(config).await?;
        let backups = BackupService::new(config)?;
        let listening = boot.begin("listen");
        let listener = listen(listener, config.listen).await?;
        Ok(Self { lock, store, access, backups, listener, listening })
    }
}

/// The socket of the server before, or a new one.
async fn listen(kept: &mut Option<Listener>, address: SocketAddr) -> anyhow::Result<Listener> {
    if let Some(listener) = kept.as_ref().filter(|listener| listener.is_for(address)) {
        return Ok(listener.clone());
    }
    let listener = Listener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    Ok(kept.insert(listener).clone())
}

/// The log, and how many of its records are damaged.
async fn open_wal(config: &Config) -> anyhow::Result<(Wal, u64)> {
    let dir = config.data_dir.join(WAL_DIR);
    let options = Options {
        segment_size_bytes: config.limits.wal_segment_bytes,
        sync: match config.durability {
            Durability::Local | Durability::Database => SyncPolicy::EveryBatch,
            // SPEC FD 3: at 16 tokens, or a second after the oldest.
            Durability::Relaxed => SyncPolicy::Grouped { records: 16, max_delay: Duration::from_secs(1) },
        },
        ..Options::default()
    };
    let shown = dir.display().to_string();
    let opened = tokio::task::spawn_blocking(move || {
        let disk = OsDisk::new(dir).context("cannot open the folder of the log")?;
        Wal::open(Arc::new(disk), options).context("cannot open the log")
    });
    let (wal, recovery) = opened.await?.with_context(|| shown)?;
    log_recovery(&recovery);
    let missing = |damage: &wordhoard_wal::Damage| (damage.missing.end.0 - damage.missing.start.0).max(1);
    Ok((wal, recovery.damage.iter().map(missing).sum()))
}

fn log_recovery(recovery: &Recovery) {
    for damage in &recovery.damage {
        tracing::error!(?damage, "the log is damaged; a copy of the segment was put into quarantine");
    }
    tracing::info!(
        log_id = %recovery.log_id,
        created = recovery.created,
        records = recovery.durable.0,
        segments = recovery.segments,
        torn_bytes = recovery.torn_bytes,
        damaged = recovery.damage.len(),
        elapsed_ms = recovery.elapsed.as_millis() as u64,
        "the log is open"
    );
}

pub(crate) fn lock(config: &Config) -> anyhow::Result<DirLock> {
    let data_dir = &config.data_dir;
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    Ok(DirLock::acquire(&data_dir.join(LOCK_FILE))?)
}

/// The database of the configuration; nothing connects to it yet.
///
/// # Errors
/// Where the configuration cannot be meant.
pub fn store(config: &DatabaseConfig) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match config {
        DatabaseConfig::Sqlite(path) => Arc::new(SqliteStore::new(path)?),
        DatabaseConfig::Postgres(url) => Arc::new(PostgresStore::new(url)?),
    })
}

/// The provider of that configuration; nothing connects to it yet.
///
/// # Errors
/// What is wrong with its settings.
pub(crate) fn provider(config: &ProviderConfig) -> anyhow::Result<Arc<dyn Provider>> {
    let http = match &config.reach {
        Reach::Demo => return Ok(wordhoard_providers::demo(config.limits)),
        Reach::Http(http) => http.clone(),
    };
    let models = config.models.iter().map(|model| (model.name.clone(), model.declared.clone()));
    let settings = HttpSettings {
        name: config.name.clone(),
        dialect: http.dialect,
        base_url: http.base_url,
        auth: http.auth,
        keys: http.keys,
        allow_private: http.allow_private,
        limits: config.limits,
        models: models.collect(),
        unsupported: http.unsupported,
        upstream_stream: http.upstream_stream,
    };
    wordhoard_providers::over_http(settings).with_context(|| format!("provider {}", config.name))
}

pub(crate) use prices::PRICES_FILE;
pub(crate) use restored::target as restore_target;

/// Puts a prepared restore in place, for a process that serves nobody and has the lock of the data directory.
///
/// # Errors
/// Where it cannot be done.
pub(crate) async fn finish_restore(config: &Config) -> anyhow::Result<()> {
    restored::finish(config, &BootLog::default()).await.map(drop)
}

/// Where the archive of the configuration lies.
pub fn archive_settings(config: &ArchiveConfig) -> ArchiveSettings {
    ArchiveSettings { dir: config.dir.clone(), interval: config.interval }
}

fn engine_settings(config: &Config) -> Settings {
    Settings {
        durability: config.durability,
        resume_interrupted: config.resume_interrupted,
        max_running_requests: config.limits.running_requests,
        disk_reserve_bytes: config.limits.disk_reserve_bytes,
        wal_limit_bytes: config.limits.wal_limit_bytes,
        archive: config.archive.as_ref().map(archive_settings),
        switches_copy: Some(config.data_dir.join(SWITCHES_FILE)),
        calls: config.calls.clone(),
        client_gone_grace: config.drop_in.client_gone_grace,
        ..Settings::new(config.data_dir.join("quarantine"))
    }
}
