use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{self, Config, Dialect};

/// Says whether the configuration can be used.
pub(super) fn check(config: &Config) -> anyhow::Result<ExitCode> {
    if let Err(error) = check_parts(config) {
        super::complain(&format!("{error:#}"));
        return Ok(ExitCode::from(super::EXIT_USAGE));
    }
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    writeln!(std::io::stdout(), "the configuration is valid; providers: {}", names.join(", "))?;
    Ok(ExitCode::SUCCESS)
}

/// Checks what only the parts themselves can: the URLs and keys of providers, the filter of the log.
pub(super) fn check_parts(config: &Config) -> anyhow::Result<()> {
    let filter = &config.log.filter;
    EnvFilter::try_new(filter).with_context(|| format!("log.filter {filter:?}"))?;
    for provider in &config.providers {
        if let Dialect::OpenAi { base_url, api_key, allow_private } = &provider.dialect {
            let settings = wordhoard_providers::OpenAiChatSettings {
                name: provider.name.clone(),
                base_url: base_url.clone(),
                api_key: api_key.clone(),
                allow_private: *allow_private,
                limits: provider.limits,
            };
            wordhoard_providers::openai_chat(settings)
                .with_context(|| format!("provider {}", provider.name))?;
        }
    }
    Ok(())
}

pub(super) fn show(config: &Config) -> anyhow::Result<ExitCode> {
    write!(std::io::stdout(), "{}", config::show(config))?;
    Ok(ExitCode::SUCCESS)
}
