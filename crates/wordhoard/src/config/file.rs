//! The file as it is written. Every field is optional; an unknown one is refused with its line.

mod providers;

use std::collections::BTreeMap;
use std::path::Path;

pub(super) use providers::{
    BreakerTable, DialectText, FallbackTable, ModelTable, ProviderTable, QueueTable, RetryTable, RuleText,
    TimeoutsTable, UnsupportedText, UpstreamStreamText,
};

use serde::Deserialize;

use super::units::{DurationText, SizeText};
use super::{Config, Environment, Error, Overrides, resolve};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    pub(super) advertised_url: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) database_url: Option<String>,
    pub(super) durability: Option<DurabilityText>,
    pub(super) resume_interrupted: Option<bool>,
    pub(super) drain_timeout: Option<DurationText>,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) demo: Option<bool>,
    pub(super) limits: LimitsTable,
    pub(super) providers: Vec<ProviderTable>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) selection: SelectionTable,
    pub(super) log: LogTable,
    pub(super) require_keys: Option<bool>,
    pub(super) retention: RetentionTable,
    pub(super) backup: BackupTable,
    pub(super) archive: ArchiveTable,
    pub(super) telemetry: TelemetryTable,
    pub(super) fallback: FallbackTable,
    pub(super) breaker: BreakerTable,
    pub(super) retry: RetryTable,
    pub(super) queue: QueueTable,
    pub(super) drop_in: DropInTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DropInTable {
    pub(super) client_gone: Option<ClientGoneText>,
    pub(super) client_gone_grace: Option<DurationText>,
    pub(super) other_paths: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientGoneText {
    Cancel,
    Continue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetentionTable {
    pub(super) days: Option<u32>,
    pub(super) schedule: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BackupTable {
    pub(super) dir: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) retention_days: Option<u32>,
    pub(super) key_file: Option<String>,
    pub(super) pg_bin_dir: Option<String>,
    pub(super) s3: Option<S3Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct S3Table {
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) access_key_id_env: Option<String>,
    pub(super) secret_access_key_env: Option<String>,
    pub(super) allow_http: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArchiveTable {
    pub(super) enabled: Option<bool>,
    pub(super) dir: Option<String>,
    pub(super) interval: Option<DurationText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetryTable {
    pub(super) otlp_endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DurabilityText {
    Local,
    Database,
    Relaxed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    pub(super) connections: Option<usize>,
    pub(super) running_requests: Option<usize>,
    pub(super) body: Option<SizeText>,
    pub(super) header_timeout: Option<DurationText>,
    pub(super) stalled_reader_timeout: Option<DurationText>,
    pub(super) wal_segment: Option<SizeText>,
    pub(super) wal_limit: Option<SizeText>,
    pub(super) disk_reserve: Option<SizeText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SelectionTable {
    pub(super) coding: Option<Vec<RuleText>>,
    pub(super) reasoning: Option<Vec<RuleText>>,
    pub(super) long: Option<Vec<RuleText>>,
    pub(super) default: Option<Vec<RuleText>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub(super) filter: Option<String>,
    pub(super) format: Option<LogFormatText>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormatText {
    Text,
    Json,
}

/// Reads the file, if one is given, and puts environment and command line over it.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn load(path: Option<&Path>, environment: &Environment, overrides: &Overrides) -> Result<Config, Error> {
    let file = match path {
        None => File::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
            toml::from_str(&text).map_err(|source| Error::Invalid { path: path.to_owned(), source })?
        }
    };
    resolve::resolve(file, environment, overrides)
}
