use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{self, Config};

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
        crate::app::provider(provider)?;
    }
    Ok(())
}

pub(super) fn show(config: &Config) -> anyhow::Result<ExitCode> {
    write!(std::io::stdout(), "{}", config::show(config))?;
    Ok(ExitCode::SUCCESS)
}
