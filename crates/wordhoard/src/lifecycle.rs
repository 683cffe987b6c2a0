//! From start to end: runs the server until it is told to stop, then stops it in order.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::config::Config;

/// How long open connections may take to end once their streams have.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(3);
/// A vital task has failed: the supervisor shall start the server anew.
const EXIT_VITAL_TASK: u8 = 70;
/// A second signal came.
const EXIT_IMPATIENT: u8 = 130;

/// Serves until a signal.
pub(crate) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install().context("signals cannot be handled")?;
    let drain_timeout = config.drain_timeout;
    let app = tokio::select! {
        app = App::start(config) => app?,
        name = signals.stop() => {
            tracing::info!(signal = name, "stopped while starting; the next start goes on from the log");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let vital_task_failed = tokio::select! {
        name = signals.stop() => {
            tracing::info!(signal = name, ?drain_timeout, "stopping: new prompts are refused, running requests may end");
            false
        }
        () = app.vital_task_failed() => {
            tracing::error!("stopping: a part failed that the server cannot go on without");
            true
        }
    };
    let started = Instant::now();
    tokio::select! {
        () = app.stop(drain_timeout, CONNECTION_PATIENCE) => {}
        name = signals.stop() => {
            // All that anyone has seen is durable, and the log says the rest at the next start.
            tracing::warn!(signal = name, "second signal: leaving at once");
            return Ok(ExitCode::from(EXIT_IMPATIENT));
        }
    }
    tracing::info!(elapsed_ms = started.elapsed().as_millis() as u64, "stopped");
    Ok(if vital_task_failed { ExitCode::from(EXIT_VITAL_TASK) } else { ExitCode::SUCCESS })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Held so that a write past a file size limit is an error of that write, not the end of the process.
    _file_too_large: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        let file_too_large = rustix::process::Signal::XFSZ.as_raw();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_too_large: signal(SignalKind::from_raw(file_too_large))?,
        })
    }

    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
