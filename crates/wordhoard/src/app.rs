//! The composition root: the one place that puts concrete parts together, from one checked configuration.

mod log_ids;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wordhoard_engine::{
    BootLog, Clock, Durability, Engine, Parts, ProviderSet, Settings, SystemClock, TaskKind, Tasks,
};
use wordhoard_providers::{OpenAiChatSettings, Provider};
use wordhoard_store::{LogKey, PostgresStore, SqliteStore, Store};
use wordhoard_wal::{DirLock, Options, OsDisk, Recovery, SyncPolicy, Wal};

use crate::access::{Access, FailedTries};
use crate::config::{Config, DatabaseConfig, Dialect, ProviderConfig};
use crate::http::{self, Administration, Hosts, Surface};
use crate::selection::Catalogue;
use crate::server::{Server, Stage};

/// The folder of the log within the data directory.
pub const WAL_DIR: &str = "tokens.wal";
/// The folder of segments that the log has let go, within the data directory.
pub const ARCHIVE_DIR: &str = "archive";
/// The file that is locked by the server that owns the data directory.
pub const LOCK_FILE: &str = "lock";

/// The copy of the switches of providers, within the data directory.
pub const SWITCHES_FILE: &str = "disabled_providers";

/// A running server.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    core: Core,
    tasks: Tasks,
    stop_serving: CancellationToken,
    disconnect: CancellationToken,
    serving: Mutex<Option<JoinHandle<Option<()>>>>,
}

/// The engine on a data directory, without a network.
#[derive(Debug)]
pub struct Core {
    /// The engine.
    pub engine: Engine,
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
    ) -> anyhow::Result<Self> {
        let step = boot.begin("log");
        let wal = open_wal(config).await?;
        let previous_logs = log_ids::note(&config.data_dir, LogKey(wal.log_id().0))?;
        step.done();
        let providers = config.providers.iter().map(provider).collect::<anyhow::Result<ProviderSet>>()?;
        let parts = Parts {
            wal,
            store,
            providers,
            clock: Arc::new(SystemClock),
            settings: Settings { previous_logs, ..engine_settings(config) },
            tasks,
            boot,
        };
        let engine = Engine::start(parts).await.with_context(|| format!("{}", config.database))?;
        Ok(Self { engine, _lock: lock })
    }

    /// The same without a server around it.
    ///
    /// # Errors
    /// What is wrong, and with which part.
    pub async fn start_alone(config: &Config) -> anyhow::Result<Self> {
        let lock = lock(config)?;
        Self::start(config, store(&config.database)?, lock, Tasks::default(), BootLog::default()).await
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
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let (tasks, boot) = (Tasks::default(), BootLog::default());
        let step = boot.begin("lock");
        let lock = lock(&config)?;
        step.done();
        let store = store(&config.database)?;
        let access = Access::open(&config, Arc::clone(&store));
        access.check(&config).await?;
        let step = boot.begin("listen");
        let server = Server::bind(config.listen, config.limits, tasks.clone()).await;
        let server = server.with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = server.address()?;
        let (stop_serving, disconnect) = (CancellationToken::new(), CancellationToken::new());
        let hosts = Arc::new(Hosts::new(address, &config.allowed_hosts));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stage = Stage::new(http::booting_router(boot.clone(), Arc::clone(&clock), Arc::clone(&hosts)));
        let serve = server.serve(stage.clone(), stop_serving.clone(), Duration::from_secs(3));
        let serving = Mutex::new(Some(tasks.spawn(TaskKind::Server, serve)));
        step.done();

        let core = Core::start(&config, Arc::clone(&store), lock, tasks.clone(), boot.clone()).await?;
        if let Err(error) = access.refresh_if_up(&core.engine).await {
            tracing::warn!(%error, "SQL does not say which keys there are; those of the last run count");
        }
        tasks.spawn(TaskKind::Access, access.clone().run(core.engine.clone(), stop_serving.clone()));
        let config = Arc::new(config);
        let surface = Surface {
            engine: core.engine.clone(),
            config: Arc::clone(&config),
            store,
            access,
            failed_tries: FailedTries::default(),
            started_at: clock.now(),
            catalogue: Arc::new(Catalogue::new(&config)),
            clock,
            limits: config.limits,
            disconnect: disconnect.clone(),
            administration: Administration::new(tasks.clone()),
        };
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
        Ok(Self { address, core, tasks, stop_serving, disconnect, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends when a part has failed that the server cannot go on without.
    pub async fn vital_task_failed(&self) {
        self.tasks.fatal().await;
    }

    /// Stops in order: no new prompts; running requests end or are interrupted; streams get what is durable and are
    /// told to come back; connections close; the log is synced, applied and closed.
    pub async fn stop(&self, drain_timeout: Duration, connection_patience: Duration) {
        self.core.engine.begin_drain();
        self.core.engine.drain(drain_timeout).await;
        self.disconnect.cancel();
        self.stop_serving.cancel();
        let serving = self.serving.lock().take();
        if let Some(serving) = serving
            && tokio::time::timeout(connection_patience * 2, serving).await.is_err()
        {
            tracing::warn!("connections did not close in time");
        }
        self.core.engine.close().await;
    }
}

async fn open_wal(config: &Config) -> anyhow::Result<Wal> {
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
    Ok(wal)
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

fn lock(config: &Config) -> anyhow::Result<DirLock> {
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

fn provider(config: &ProviderConfig) -> anyhow::Result<Arc<dyn Provider>> {
    match &config.dialect {
        Dialect::Demo => Ok(wordhoard_providers::demo(config.limits)),
        Dialect::OpenAi { base_url, api_key, allow_private } => {
            let settings = OpenAiChatSettings {
                name: config.name.clone(),
                base_url: base_url.clone(),
                api_key: api_key.clone(),
                allow_private: *allow_private,
                limits: config.limits,
            };
            wordhoard_providers::openai_chat(settings).with_context(|| format!("provider {}", config.name))
        }
    }
}

fn engine_settings(config: &Config) -> Settings {
    Settings {
        durability: config.durability,
        resume_interrupted: config.resume_interrupted,
        max_running_requests: config.limits.running_requests,
        disk_reserve_bytes: config.limits.disk_reserve_bytes,
        wal_limit_bytes: config.limits.wal_limit_bytes,
        switches_copy: Some(config.data_dir.join(SWITCHES_FILE)),
        archive_dir: Some(config.data_dir.join(ARCHIVE_DIR)),
        ..Settings::new(config.data_dir.join("quarantine"))
    }
}
