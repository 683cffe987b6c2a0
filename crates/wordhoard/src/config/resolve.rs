//! From what is written to what is meant: defaults, environment, command line, and the checks across settings.

mod calls;
mod maintenance;
mod providers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wordhoard_engine::Durability;
use wordhoard_model::ModelRef;
use wordhoard_store::PostgresStore;

use super::file::{
    ClientGoneText, DropInTable, DurabilityText, File, LimitsTable, LogFormatText, LogTable, RuleText,
    SelectionTable, TelemetryTable,
};
use super::units;
use super::{
    AdminKey, Config, DatabaseConfig, DropInConfig, Environment, Error, Limits, LogConfig, LogFormat,
    ProviderConfig, Rule, SelectionConfig, TelemetryConfig,
};

/// What the command line says over file and environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--database-url`.
    pub database_url: Option<String>,
}

pub(super) fn resolve(file: File, environment: &Environment, overrides: &Overrides) -> Result<Config, Error> {
    let data_dir = overrides.data_dir.clone();
    let data_dir = data_dir.or(file.data_dir.map(PathBuf::from)).unwrap_or_else(|| "data".into());
    let database_url = overrides
        .database_url
        .as_deref()
        .or(environment.get("DATABASE_URL"))
        .or(file.database_url.as_deref());
    let database = database(database_url, &data_dir)?;
    let providers = providers::resolve(file.providers, file.demo, environment)?;
    let aliases = aliases(file.aliases, &providers)?;
    let tables = calls::Tables {
        fallback: file.fallback,
        breaker: file.breaker,
        retry: file.retry,
        queue: file.queue,
    };
    let calls = calls::resolve(tables, &providers, &aliases)?;
    let listen = listen(overrides.listen.as_deref().or(file.listen.as_deref()))?;
    Ok(Config {
        listen,
        advertised_url: advertised_url(file.advertised_url)?,
        database,
        durability: match file.durability {
            None | Some(DurabilityText::Local) => Durability::Local,
            Some(DurabilityText::Database) => Durability::Database,
            Some(DurabilityText::Relaxed) => Durability::Relaxed,
        },
        resume_interrupted: file.resume_interrupted.unwrap_or(true),
        drain_timeout: file.drain_timeout.map_or(Duration::from_secs(25), |text| text.0),
        limits: limits(&file.limits, environment)?,
        allowed_hosts: file.allowed_hosts,
        aliases,
        calls,
        drop_in: drop_in(&file.drop_in, &providers)?,
        selection: selection(&file.selection, &providers)?,
        providers,
        admin_key: admin_key(environment)?,
        require_keys: require_keys(file.require_keys, listen)?,
        retention: maintenance::retention(&file.retention, environment)?,
        backup: maintenance::backup(file.backup, &data_dir, environment)?,
        archive: maintenance::archive(file.archive, &data_dir),
        telemetry: telemetry(file.telemetry, environment)?,
        log: log(file.log),
        data_dir,
    })
}

fn listen(text: Option<&str>) -> Result<SocketAddr, Error> {
    let text = text.unwrap_or("127.0.0.1:8000");
    text.parse().map_err(|_| {
        Error::setting("listen", format!("{text:?} is no address and port, such as 127.0.0.1:8000"))
    })
}

fn advertised_url(text: Option<String>) -> Result<Option<String>, Error> {
    match text {
        Some(text) if !is_url(&text) => {
            Err(Error::setting("advertised_url", "must be a URL, such as http://10.0.0.5:8000"))
        }
        text => Ok(text.map(|text| text.trim_end_matches('/').to_owned())),
    }
}

fn is_url(text: &str) -> bool {
    text.parse::<axum::http::Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some())
}

/// Beyond loopback always: an open relay to paid APIs must not be.
fn require_keys(written: Option<bool>, listen: SocketAddr) -> Result<bool, Error> {
    match (listen.ip().is_loopback(), written) {
        (false, Some(false)) => {
            let problem = format!("{listen} is not loopback, where keys are always required");
            Err(Error::setting("require_keys", problem))
        }
        (is_loopback, written) => Ok(written.unwrap_or(!is_loopback)),
    }
}

/// How long a call goes on without its client (SPEC FD 12).
const CLIENT_GONE_GRACE: Duration = Duration::from_secs(10);

fn drop_in(table: &DropInTable, providers: &[ProviderConfig]) -> Result<DropInConfig, Error> {
    let grace = table.client_gone_grace.map(|text| text.0);
    let client_gone_grace = match table.client_gone {
        None | Some(ClientGoneText::Cancel) => Some(grace.unwrap_or(CLIENT_GONE_GRACE)),
        Some(ClientGoneText::Continue) if grace.is_none() => None,
        Some(ClientGoneText::Continue) => {
            let problem = "has no meaning where drop_in.client_gone is \"continue\"";
            return Err(Error::setting("drop_in.client_gone_grace", problem));
        }
    };
    let other_paths = match &table.other_paths {
        None => None,
        Some(name) => {
            let provider = providers.iter().find(|provider| provider.name.as_str() == name.as_str());
            let unknown = || {
                let names: Vec<&str> = providers.iter().map(|provider| provider.name.as_str()).collect();
                let problem = format!("{name:?} is none of the providers: {}", names.join(", "));
                Error::setting("drop_in.other_paths", problem)
            };
            Some(provider.ok_or_else(unknown)?.name.clone())
        }
    };
    Ok(DropInConfig { client_gone_grace, other_paths })
}

fn telemetry(table: TelemetryTable, environment: &Environment) -> Result<TelemetryConfig, Error> {
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let given = environment.get(VARIABLE).map(str::to_owned);
    let source = if given.is_some() { VARIABLE } else { "telemetry.otlp_endpoint" };
    match given.or(table.otlp_endpoint) {
        Some(text) if !is_url(&text) => {
            Err(Error::setting(source, "must be a URL, such as http://127.0.0.1:4318"))
        }
        otlp_endpoint => Ok(TelemetryConfig { otlp_endpoint }),
    }
}

fn database(url: Option<&str>, data_dir: &Path) -> Result<DatabaseConfig, Error> {
    let Some(url) = url else {
        return Ok(DatabaseConfig::Sqlite(data_dir.join("wordhoard.db")));
    };
    if let Some(path) = url.strip_prefix("sqlite:")
        && !path.is_empty()
    {
        return Ok(DatabaseConfig::Sqlite(path.into()));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        // Looks at the URL and the certificates that it names, and connects to nothing.
        let store = PostgresStore::new(url);
        store.map_err(|error| Error::setting("database_url", error.to_string()))?;
        return Ok(DatabaseConfig::Postgres(url.to_owned()));
    }
    // The URL may hold a password, so only its scheme is shown.
    let scheme = url.split(':').next().unwrap_or_default();
    Err(Error::setting(
        "database_url",
        format!("{scheme:?} is not supported: write sqlite:PATH or postgres://user@host/database"),
    ))
}

fn admin_key(environment: &Environment) -> Result<Option<AdminKey>, Error> {
    const NAME: &str = "WORDHOARD_ADMIN_KEY";
    let key = environment.get(NAME).map(AdminKey::new).transpose();
    key.map_err(|problem| Error::setting(NAME, problem))
}

fn limits(table: &LimitsTable, environment: &Environment) -> Result<Limits, Error> {
    let wal_segment_bytes = match environment.get("WAL_MAX_SIZE_BYTES") {
        Some(text) => units::size(text).map_err(|problem| Error::setting("WAL_MAX_SIZE_BYTES", problem))?,
        None => table.wal_segment.map_or(100 << 20, |size| size.0),
    };
    if !(1 << 20..=4 << 30).contains(&wal_segment_bytes) {
        let problem = "a segment of the log may have 1MiB to 4GiB";
        return Err(Error::setting("limits.wal_segment (or WAL_MAX_SIZE_BYTES)", problem));
    }
    // A log has at least the segment that is written and the one reserved ahead.
    if let Some(limit) = table.wal_limit
        && limit.0 < 3 * wal_segment_bytes
    {
        let problem = "must be at least three times limits.wal_segment";
        return Err(Error::setting("limits.wal_limit", problem));
    }
    let positive = |setting: &str, value: Option<usize>, default| match value {
        Some(0) => Err(Error::setting(setting, "must be at least 1")),
        other => Ok(other.unwrap_or(default)),
    };
    let body_bytes = table.body.map_or(50 << 20, |size| size.0);
    Ok(Limits {
        connections: positive("limits.connections", table.connections, 10_000)?,
        running_requests: positive("limits.running_requests", table.running_requests, 1_000)?,
        body_bytes: positive("limits.body", Some(usize::try_from(body_bytes).unwrap_or(usize::MAX)), 1)?,
        header_timeout: table.header_timeout.map_or(Duration::from_secs(10), |text| text.0),
        stalled_reader_timeout: table.stalled_reader_timeout.map_or(Duration::from_secs(300), |text| text.0),
        wal_segment_bytes,
        wal_limit_bytes: table.wal_limit.map(|size| size.0),
        disk_reserve_bytes: table.disk_reserve.map_or(1 << 30, |size| size.0),
    })
}

fn aliases(
    written: BTreeMap<String, String>,
    providers: &[ProviderConfig],
) -> Result<BTreeMap<String, ModelRef>, Error> {
    let mut aliases = BTreeMap::new();
    for (alias, model) in written {
        let setting = format!("aliases.{alias}");
        if alias.is_empty() || alias.contains(':') {
            return Err(Error::setting(setting, "an alias is a word without a colon"));
        }
        let model = model_ref(&setting, &model, providers)?;
        aliases.insert(alias, model);
    }
    Ok(aliases)
}

fn model_ref(setting: &str, text: &str, providers: &[ProviderConfig]) -> Result<ModelRef, Error> {
    let model: ModelRef = text.parse().map_err(|error| Error::setting(setting, format!("{error}")))?;
    if !providers.iter().any(|provider| provider.name == model.provider) {
        let problem = format!("there is no active provider {:?}; is its key set?", model.provider.as_str());
        return Err(Error::setting(setting, problem));
    }
    Ok(model)
}

fn selection(table: &SelectionTable, providers: &[ProviderConfig]) -> Result<SelectionConfig, Error> {
    let class = |name: &str, written: &Option<Vec<RuleText>>, built_in: &[&str]| match written {
        Some(rules) => {
            let setting = format!("selection.{name}");
            rules.iter().map(|rule| rule_of(&setting, rule, providers)).collect::<Result<Vec<_>, _>>()
        }
        None => {
            let models = built_in.iter().filter_map(|model| model.parse::<ModelRef>().ok());
            let active = |model: &ModelRef| {
                providers
                    .iter()
                    .any(|provider| provider.name == model.provider && provider.takes(&model.model))
            };
            Ok(models.filter(active).map(|model| Rule { model, weight: None }).collect())
        }
    };
    Ok(SelectionConfig {
        coding: class(
            "coding",
            &table.coding,
            &[
                "anthropic:claude-sonnet-4-5",
                "openai:gpt-4o",
                "deepseek:deepseek-chat",
                "google_ai:gemini-2.5-pro",
            ],
        )?,
        reasoning: class(
            "reasoning",
            &table.reasoning,
            &[
                "deepseek:deepseek-reasoner",
                "google_ai:gemini-2.5-pro",
                "openai:gpt-4o",
                "anthropic:claude-sonnet-4-5",
            ],
        )?,
        long: class(
            "long",
            &table.long,
            &[
                "google_ai:gemini-2.5-flash",
                "openai:gpt-4o",
                "anthropic:claude-sonnet-4-5",
                "deepseek:deepseek-chat",
            ],
        )?,
        default: class(
            "default",
            &table.default,
            &[
                "openai:gpt-4o-mini",
                "anthropic:claude-haiku-4-5",
                "google_ai:gemini-2.5-flash",
                "deepseek:deepseek-chat",
                "cohere:command-a-03-2025",
            ],
        )?,
    })
}

fn rule_of(setting: &str, rule: &RuleText, providers: &[ProviderConfig]) -> Result<Rule, Error> {
    if rule.weight.is_some_and(|weight| !(weight.is_finite() && weight > 0.0)) {
        return Err(Error::setting(setting, format!("the weight of {:?} must be above 0", rule.model)));
    }
    Ok(Rule { model: model_ref(setting, &rule.model, providers)?, weight: rule.weight })
}

fn log(table: LogTable) -> LogConfig {
    LogConfig {
        filter: table.filter.unwrap_or_else(|| "info".into()),
        format: match table.format {
            Some(LogFormatText::Json) => LogFormat::Json,
            None | Some(LogFormatText::Text) => LogFormat::Text,
        },
    }
}

#[cfg(test)]
mod tests;
