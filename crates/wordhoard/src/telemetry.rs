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
    // A log that cannot be written (a closed pipe, a full disk) must not end what is logged: without this the
    // subscriber tells of it on standard error, and panics if that fails too.
    let builder =
        tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(io::stderr);
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
