mod traces;

use std::io;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use traces::Traces;

use crate::config::{Config, LogConfig, LogFormat};

/// What the server tells others about its work while it runs.
pub(crate) struct Telemetry {
    traces: Option<Traces>,
}

/// Begins to log and, where that is asked for, to send traces.
///
/// # Errors
/// Where a setting cannot be meant.
pub(crate) fn start(config: &Config) -> anyhow::Result<Telemetry> {
    log(&config.log)?;
    let endpoint = config.telemetry.otlp_endpoint.as_deref();
    Ok(Telemetry { traces: endpoint.map(Traces::start).transpose()? })
}

impl Telemetry {
    /// Sends what is left. Blocks for a second at most, and must not be called where others wait for this thread.
    pub(crate) fn stop(&self) {
        if let Some(traces) = &self.traces {
            traces.stop();
        }
    }
}

/// Logs to standard error, so that what a command prints stays clean.
///
/// # Errors
/// Where the filter makes no sense.
fn log(config: &LogConfig) -> anyhow::Result<()> {
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
