use toml::{Table, Value};
use wordhoard_engine::{CallSettings, Durability};
use wordhoard_model::Prefill;
use wordhoard_providers::{Auth, Unsupported, UpstreamStream, price_fields};

use super::units::size_text;
use super::{
    BackupConfig, BackupKeySource, Config, DropInConfig, Limits, LogFormat, ModelConfig, ProviderConfig,
    Reach, Rule, S3Config, SelectionConfig,
};

/// The configuration in force, as TOML that would give it again. Secrets are not in it, nor what may hold one: the
/// user part and the query of a URL.
pub fn show(config: &Config) -> String {
    let keys = config.providers.iter().filter_map(key_comment);
    let comments: String = keys.map(|comment| format!("# {comment}\n")).collect();
    format!("{comments}{}", table(config))
}

fn key_comment(provider: &ProviderConfig) -> Option<String> {
    let Reach::Http(http) = &provider.reach else { return None };
    let sources: Vec<_> = http.keys.iter().map(|named| named.source.as_str()).collect();
    let state =
        if sources.is_empty() { "not set".to_owned() } else { format!("set, from {}", sources.join(", ")) };
    Some(format!("the key of {} is {state}", provider.name))
}

fn table(config: &Config) -> Table {
    let has_demo = config.providers.iter().any(|provider| matches!(provider.reach, Reach::Demo));
    let durability = match config.durability {
        Durability::Local => "local",
        Durability::Database => "database",
        Durability::Relaxed => "relaxed",
    };
    let format = if config.log.format == LogFormat::Json { "json" } else { "text" };
    let aliases = config.aliases.iter().map(|(alias, model)| (alias.clone(), model.to_string().into()));
    let retention = &config.retention;
    let mut archive = Table::from_iter([("enabled".into(), config.archive.is_some().into())]);
    if let Some(kept) = &config.archive {
        archive.insert("dir".into(), kept.dir.display().to_string().into());
        archive.insert("interval".into(), duration(kept.interval));
    }
    let mut telemetry = Table::new();
    if let Some(endpoint) = &config.telemetry.otlp_endpoint {
        telemetry.insert("otlp_endpoint".into(), without_secrets(endpoint).into());
    }
    let settings: [(String, Value); 19] = [
        ("require_keys".into(), config.require_keys.into()),
        (
            "retention".into(),
            entries([
                ("days", i64::from(retention.days).into()),
                ("schedule", retention.schedule.to_string().into()),
            ]),
        ),
        ("backup".into(), backup(&config.backup).into()),
        ("archive".into(), archive.into()),
        ("telemetry".into(), telemetry.into()),
        ("listen".into(), config.listen.to_string().into()),
        ("data_dir".into(), config.data_dir.display().to_string().into()),
        ("database_url".into(), config.database.to_string().into()),
        ("durability".into(), durability.into()),
        ("resume_interrupted".into(), config.resume_interrupted.into()),
        ("drain_timeout".into(), duration(config.drain_timeout)),
        ("allowed_hosts".into(), texts(&config.allowed_hosts)),
        ("demo".into(), has_demo.into()),
        ("limits".into(), limits(&config.limits).into()),
        ("drop_in".into(), drop_in(&config.drop_in).into()),
        ("log".into(), entries([("filter", config.log.filter.clone().into()), ("format", format.into())])),
        ("aliases".into(), Table::from_iter(aliases).into()),
        ("selection".into(), selection(&config.selection)),
        ("providers".into(), config.providers.iter().map(provider).collect::<Vec<_>>().into()),
    ];
    let advertised = config.advertised_url.clone().map(|url| ("advertised_url".to_owned(), url.into()));
    Table::from_iter(settings.into_iter().chain(advertised).chain(calls(&config.calls)))
}

fn limits(limits: &Limits) -> Table {
    let mut table = Table::from_iter([
        ("connections".into(), integer(limits.connections)),
        ("running_requests".into(), integer(limits.running_requests)),
        ("body".into(), size_text(limits.body_bytes as u64).into()),
        ("header_timeout".into(), duration(limits.header_timeout)),
        ("stalled_reader_timeout".into(), duration(limits.stalled_reader_timeout)),
        ("wal_segment".into(), size_text(limits.wal_segment_bytes).into()),
        ("disk_reserve".into(), size_text(limits.disk_reserve_bytes).into()),
    ]);
    if let Some(limit) = limits.wal_limit_bytes {
        table.insert("wal_limit".into(), size_text(limit).into());
    }
    table
}

fn backup(backup: &BackupConfig) -> Table {
    let mut table = Table::from_iter([
        ("dir".into(), backup.dir.display().to_string().into()),
        ("schedule".into(), backup.schedule.to_string().into()),
        ("retention_days".into(), i64::from(backup.retention_days).into()),
    ]);
    if let BackupKeySource::File(path) = &backup.key {
        table.insert("key_file".into(), path.display().to_string().into());
    }
    if let Some(dir) = &backup.pg_bin_dir {
        table.insert("pg_bin_dir".into(), dir.display().to_string().into());
    }
    if let Some(s3) = &backup.s3 {
        table.insert("s3".into(), object_store(s3).into());
    }
    table
}

fn object_store(s3: &S3Config) -> Table {
    let mut table = Table::from_iter([
        ("bucket".into(), s3.bucket.as_str().into()),
        ("prefix".into(), s3.prefix.as_str().into()),
        ("region".into(), s3.region.as_str().into()),
        ("allow_http".into(), s3.allow_http.into()),
    ]);
    if let Some(endpoint) = &s3.endpoint {
        table.insert("endpoint".into(), without_secrets(endpoint).into());
    }
    table
}

fn selection(selection: &SelectionConfig) -> Value {
    let class = |rules: &[Rule]| -> Value {
        let rule = |rule: &Rule| match rule.weight {
            None => rule.model.to_string().into(),
            Some(weight) => entries([("model", rule.model.to_string().into()), ("weight", weight.into())]),
        };
        rules.iter().map(rule).collect::<Vec<Value>>().into()
    };
    entries([
        ("coding", class(&selection.coding)),
        ("reasoning", class(&selection.reasoning)),
        ("long", class(&selection.long)),
        ("default", class(&selection.default)),
    ])
}

/// The tables that say how providers are called.
fn drop_in(drop_in: &DropInConfig) -> Table {
    let mut table = Table::new();
    let client_gone = if drop_in.client_gone_grace.is_some() { "cancel" } else { "continue" };
    table.insert("client_gone".into(), client_gone.into());
    if let Some(grace) = drop_in.client_gone_grace {
        table.insert("client_gone_grace".into(), duration(grace));
    }
    if let Some(provider) = &drop_in.other_paths {
        table.insert("other_paths".into(), provider.as_str().into());
    }
    table
}

fn calls(calls: &CallSettings) -> [(String, Value); 4] {
    let (least, most) = calls.fallback_jitter;
    let retry = &calls.retry;
    [
        (
            "fallback".into(),
            entries([
                ("queue", texts(&calls.fallback)),
                ("jitter", vec![duration(least), duration(most)].into()),
            ]),
        ),
        (
            "breaker".into(),
            entries([
                ("failures", i64::from(calls.breaker.failures).into()),
                ("open", duration(calls.breaker.open_for)),
            ]),
        ),
        (
            "retry".into(),
            entries([
                ("max", i64::from(retry.max).into()),
                ("longest_wait", duration(retry.longest_wait)),
                ("budget_share", retry.budget_share.into()),
                ("budget_floor", i64::from(retry.budget_floor).into()),
            ]),
        ),
        (
            "queue".into(),
            entries([("waiting", integer(calls.queue_limit)), ("patience", duration(calls.queue_patience))]),
        ),
    ]
}

fn provider(provider: &ProviderConfig) -> Value {
    let limits = &provider.limits;
    let timeouts = entries([
        ("connect", duration(limits.connect)),
        ("first_token", duration(limits.first_token)),
        ("between_bytes", duration(limits.between_bytes)),
        ("total", duration(limits.total)),
    ]);
    let mut table = Table::from_iter([
        ("name".into(), provider.name.as_str().into()),
        ("concurrency".into(), integer(provider.concurrency)),
        ("drop_in_concurrency".into(), integer(provider.drop_in_concurrency)),
        ("timeouts".into(), timeouts),
    ]);
    let Reach::Http(http) = &provider.reach else {
        table.insert("dialect".into(), "demo".into());
        return table.into();
    };
    let auth = http.auth.unwrap_or_else(|| Auth::of(http.dialect));
    let auth = Auth::ALL.into_iter().find(|(_, known)| *known == auth).map_or("bearer", |(name, _)| name);
    let unsupported = if http.unsupported == Unsupported::Drop { "drop" } else { "refuse" };
    let upstream_stream = if http.upstream_stream == UpstreamStream::AsAsked { "as_asked" } else { "always" };
    table.extend([
        ("dialect".to_owned(), http.dialect.as_str().into()),
        ("base_url".to_owned(), without_secrets(&http.base_url).into()),
        ("auth".to_owned(), auth.into()),
        ("allow_private".to_owned(), http.allow_private.into()),
        ("unsupported".to_owned(), unsupported.into()),
        ("upstream_stream".to_owned(), upstream_stream.into()),
        ("models".to_owned(), provider.models.iter().map(model).collect::<Vec<Value>>().into()),
    ]);
    table.into()
}

/// A model with what the configuration says of it.
fn model(model: &ModelConfig) -> Value {
    let said = &model.declared;
    let mut table = Table::from_iter([("name".to_owned(), Value::from(model.name.as_str()))]);
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            table.insert(name.to_owned(), value);
        }
    };
    let prefill = |way: Option<Prefill>| match way {
        None => false.into(),
        Some(Prefill::Message) => true.into(),
        Some(way) => way.as_str().into(),
    };
    set("prefill", said.prefill.map(prefill));
    set("tools", said.tools.map(Value::from));
    set("images", said.images.map(Value::from));
    set("json_schema", said.json_schema.map(Value::from));
    set("stream", said.stream.map(Value::from));
    set("context_window", said.context_window.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX).into()));
    set("max_output_tokens", said.max_output_tokens.map(|tokens| i64::from(tokens).into()));
    let price = said.price.as_ref().and_then(|price| toml::from_str(&price_fields(price)).ok());
    set("price", price.map(Value::Table));
    table.into()
}

/// The URL without its user part and the values of its query.
fn without_secrets(base_url: &str) -> String {
    let (place, query) = base_url.split_once('?').map_or((base_url, ""), |(place, _)| (place, "?…"));
    let place = match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => place.to_owned(),
    };
    format!("{place}{query}")
}

fn entries<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Table::from_iter(entries.into_iter().map(|(name, value)| (name.to_owned(), value))).into()
}

fn texts(all: &[impl ToString]) -> Value {
    all.iter().map(|one| Value::from(one.to_string())).collect::<Vec<_>>().into()
}

fn integer(value: usize) -> Value {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

fn duration(duration: std::time::Duration) -> Value {
    format!("{duration:?}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret() {
        for (url, shown) in [
            ("https://api.example/v1", "https://api.example/v1"),
            ("https://user:pass@api.example/v1", "https://…@api.example/v1"),
            ("https://api.example/v1?key=sk-1", "https://api.example/v1?…"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
