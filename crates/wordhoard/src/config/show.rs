use std::fmt::Write;

use wordhoard_engine::Durability;

use super::units::size_text;
use super::{Config, Dialect, LogFormat, ProviderConfig};

/// The configuration in force, as TOML that would give it again. Secrets are not in it.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, config);
    out
}

fn write_all(out: &mut String, config: &Config) -> std::fmt::Result {
    let limits = &config.limits;
    writeln!(out, "listen = {:?}", config.listen.to_string())?;
    writeln!(out, "data_dir = {:?}", config.data_dir)?;
    writeln!(
        out,
        "database_url = {:?}",
        format!("sqlite:{}", config.database_path.display())
    )?;
    let durability = match config.durability {
        Durability::Local => "local",
        Durability::Database => "database",
        Durability::Relaxed => "relaxed",
    };
    writeln!(out, "durability = {durability:?}")?;
    writeln!(out, "resume_interrupted = {}", config.resume_interrupted)?;
    writeln!(out, "drain_timeout = \"{:?}\"", config.drain_timeout)?;
    writeln!(out, "allowed_hosts = {:?}", config.allowed_hosts)?;
    let has_demo = config
        .providers
        .iter()
        .any(|provider| matches!(provider.dialect, Dialect::Demo));
    writeln!(out, "demo = {has_demo}")?;
    writeln!(out, "\n[limits]")?;
    writeln!(out, "connections = {}", limits.connections)?;
    writeln!(out, "running_requests = {}", limits.running_requests)?;
    writeln!(out, "body = {:?}", size_text(limits.body_bytes as u64))?;
    writeln!(out, "header_timeout = \"{:?}\"", limits.header_timeout)?;
    writeln!(
        out,
        "stalled_reader_timeout = \"{:?}\"",
        limits.stalled_reader_timeout
    )?;
    writeln!(out, "wal_segment = {:?}", size_text(limits.wal_segment_bytes))?;
    match limits.wal_limit_bytes {
        Some(limit) => writeln!(out, "wal_limit = {:?}", size_text(limit))?,
        None => writeln!(out, "# wal_limit: none; the log may grow down to disk_reserve")?,
    }
    writeln!(out, "disk_reserve = {:?}", size_text(limits.disk_reserve_bytes))?;
    writeln!(out, "\n[log]")?;
    writeln!(out, "filter = {:?}", config.log.filter)?;
    let format = if config.log.format == LogFormat::Json {
        "json"
    } else {
        "text"
    };
    writeln!(out, "format = {format:?}")?;
    writeln!(out, "\n[aliases]")?;
    for (alias, model) in &config.aliases {
        writeln!(out, "{alias:?} = {:?}", model.to_string())?;
    }
    writeln!(out, "\n[selection]")?;
    let selection = &config.selection;
    let classes = [
        ("coding", &selection.coding),
        ("reasoning", &selection.reasoning),
        ("long", &selection.long),
        ("default", &selection.default),
    ];
    for (class, models) in classes {
        let models: Vec<_> = models.iter().map(ToString::to_string).collect();
        writeln!(out, "{class} = {models:?}")?;
    }
    config
        .providers
        .iter()
        .try_for_each(|provider| write_provider(out, provider))
}

fn write_provider(out: &mut String, provider: &ProviderConfig) -> std::fmt::Result {
    writeln!(out, "\n[[providers]]")?;
    writeln!(out, "name = {:?}", provider.name.as_str())?;
    match &provider.dialect {
        Dialect::Demo => writeln!(out, "dialect = \"demo\"")?,
        Dialect::OpenAi {
            base_url,
            api_key,
            allow_private,
        } => {
            writeln!(out, "dialect = \"openai\"")?;
            writeln!(out, "base_url = {base_url:?}")?;
            writeln!(
                out,
                "# its key is {}",
                if api_key.is_some() { "set" } else { "not set" }
            )?;
            writeln!(out, "allow_private = {allow_private}")?;
            let models: Vec<_> = provider
                .models
                .iter()
                .map(|model| format!("{{ name = {model:?} }}"))
                .collect();
            writeln!(out, "models = [{}]", models.join(", "))?;
        }
    }
    let limits = &provider.limits;
    writeln!(
        out,
        "timeouts = {{ connect = \"{:?}\", first_token = \"{:?}\", between_tokens = \"{:?}\", total = \"{:?}\" }}",
        limits.connect, limits.first_token, limits.between_tokens, limits.total
    )
}
