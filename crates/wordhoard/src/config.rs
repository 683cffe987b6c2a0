//! The configuration: one TOML file, the environment over it, the command line over both.
//!
//! This is the only place that reads the environment. What comes out is checked and whole: no part behind it has to
//! ask whether a setting makes sense.

mod admin_key;
mod environment;
mod file;
mod maintenance;
mod providers;
mod resolve;
mod schedule;
mod show;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use admin_key::AdminKey;
pub use environment::Environment;
pub use file::load;
pub use maintenance::{ArchiveConfig, BackupConfig, BackupKeySource, RetentionConfig, S3Config};
pub use providers::{HttpProvider, ModelConfig, ProviderConfig, Reach, Rule, SelectionConfig};
pub use resolve::Overrides;
pub use schedule::Schedule;
pub use show::show;
use wordhoard_engine::{CallSettings, Durability};
use wordhoard_model::{ModelRef, ProviderName};
use wordhoard_store::display_url;

/// What the server runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it says to other servers and people that it can be called; by its listening address if none.
    pub advertised_url: Option<String>,
    /// Where the log, the database and all else of its own lie.
    pub data_dir: PathBuf,
    /// Where SQL is.
    pub database: DatabaseConfig,
    /// When an event may be shown.
    pub durability: Durability,
    /// Whether interrupted requests go on after a restart.
    pub resume_interrupted: bool,
    /// How long running requests may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// The sizes and numbers that keep the server bounded.
    pub limits: Limits,
    /// Host names, besides those of the listening address and of loopback, under which it may be called.
    pub allowed_hosts: Vec<String>,
    /// Whom it can call.
    pub providers: Vec<ProviderConfig>,
    /// How they are called.
    pub calls: CallSettings,
    /// How the drop-in APIs behave.
    pub drop_in: DropInConfig,
    /// Short names of models.
    pub aliases: BTreeMap<String, ModelRef>,
    /// Which models answer where the caller names none.
    pub selection: SelectionConfig,
    /// The key of administrators, from the environment; without one nobody is an administrator.
    pub admin_key: Option<AdminKey>,
    /// Whether prompts, too, need a key. Always so beyond loopback.
    pub require_keys: bool,
    /// How long requests are kept.
    pub retention: RetentionConfig,
    /// Backups of the database.
    pub backup: BackupConfig,
    /// The archive of the log, if one is kept.
    pub archive: Option<ArchiveConfig>,
    /// What it tells others about its work.
    pub telemetry: TelemetryConfig,
    /// How it logs.
    pub log: LogConfig,
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseConfig {
    /// SQLite, in this file.
    Sqlite(PathBuf),
    /// PostgreSQL, at this URL, which may hold a password.
    Postgres(String),
}

impl fmt::Display for DatabaseConfig {
    /// The URL, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&display_url(url)),
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The sizes and numbers that keep the server bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; past it new ones wait in the kernel's queue.
    pub connections: usize,
    /// Requests that run at the same time.
    pub running_requests: usize,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send its headers, and then its body.
    pub header_timeout: Duration,
    /// How long a client may leave its connection unread before it is closed.
    pub stalled_reader_timeout: Duration,
    /// The size of a segment of the log, in bytes.
    pub wal_segment_bytes: u64,
    /// Bytes that the log may have on disk before new prompts are refused.
    pub wal_limit_bytes: Option<u64>,
    /// Free bytes on the disk below which new prompts are refused.
    pub disk_reserve_bytes: u64,
}

/// How the drop-in APIs behave.
#[derive(Clone, Debug)]
pub struct DropInConfig {
    /// How long a request goes on that its client has left, and that nobody else follows; none where it goes on to its
    /// end. One in the background or with an `Idempotency-Key` always does.
    pub client_gone_grace: Option<Duration>,
    /// The provider that gets what comes for other paths under `/v1`; none where nothing is passed on.
    pub other_paths: Option<ProviderName>,
}

/// What the server tells others about its work, besides `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct TelemetryConfig {
    /// The URL that takes traces by OTLP over HTTP (`http://127.0.0.1:4318`); without one none are sent.
    pub otlp_endpoint: Option<String>,
}

/// How the server logs.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Which events, as tracing's filters have it: `info`, `wordhoard_engine=debug`.
    pub filter: String,
    /// For machines or for people.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}

/// A configuration that cannot be used. Tells where and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no TOML, or has fields that are unknown or of a wrong type. Names the line.
    #[error("the configuration {path} is not valid:\n{source}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What and where.
        source: toml::de::Error,
    },
    /// A setting has a value that makes no sense.
    #[error("{setting}: {problem}")]
    Setting {
        /// Which one, and where it came from.
        setting: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Error {
    fn setting(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), problem: problem.into() }
    }
}
