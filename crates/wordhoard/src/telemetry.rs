use std::io;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Logs to standard error, so that what a command prints stays clean.
///
/// # Errors
/// Where the filter makes no sense.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&config.filter).with_context(|| format!("log.filter {:?}", config.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
        LogFormat::Text => {
            builder
                .with_target(false)
                .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
                .finish()
                .try_init()?;
        }
    }
    Ok(())
}
