//! From start to end: runs the server until it is told to stop, then stops it in order; or starts it anew in the same
//! process, where a part asks for it.

mod signals;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use signals::{Signals, Told};
use tokio::sync::Notify;

use crate::app::{App, NothingBegun};
use crate::config::Config;
use crate::server::Listener;

/// A vital task has failed: the supervisor shall start the server anew.
const EXIT_VITAL_TASK: u8 = 70;
/// A second signal came.
const EXIT_IMPATIENT: u8 = 130;

/// Asks for the server to be stopped in order and started again, in the same process and on the same socket. Readers
/// are told to come back, as on a stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestartHandle(Arc<Notify>);

impl RestartHandle {
    /// Asks for it, and returns at once. Asking again before it has happened changes nothing.
    pub(crate) fn restart(&self, reason: &str) {
        tracing::info!(reason, "a restart is asked for");
        self.0.notify_one();
    }

    async fn asked(&self) {
        self.0.notified().await;
    }
}

/// Why a server that runs comes to its end.
#[derive(Debug)]
enum End {
    Stop,
    VitalTaskFailed,
    Restart,
}

/// Serves until a signal. `reload` reads the configuration again, for SIGHUP.
pub(crate) async fn serve(
    mut config: Config,
    reload: impl Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install().context("signals cannot be handled")?;
    let mut listener = None;
    // The configuration of the server before this one, which served.
    let mut good: Option<Config> = None;
    loop {
        let restart = RestartHandle::default();
        let started = tokio::select! {
            app = App::start(config.clone(), restart.clone(), &mut listener) => app,
            name = signals.stop() => {
                tracing::info!(signal = name, "stopped while starting; the next start goes on from the log");
                return Ok(ExitCode::SUCCESS);
            }
        };
        let app = match (started, good.take()) {
            (Ok(app), _) => app,
            // What only a start can tell: an address that is taken, a folder that cannot be made.
            (Err(error), Some(before)) if error.is::<NothingBegun>() => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the new configuration cannot be used; going on with the old one"
                );
                config = before;
                continue;
            }
            (Err(error), _) => return Err(error),
        };
        good = Some(config.clone());
        let end = wait_for_end(&app, &restart, &mut signals, &mut config, &reload).await;
        if let Some(code) = stop(app, end, &mut signals, &mut listener).await {
            return Ok(code);
        }
    }
}

async fn wait_for_end(
    app: &App,
    restart: &RestartHandle,
    signals: &mut Signals,
    config: &mut Config,
    reload: impl Fn() -> anyhow::Result<Config>,
) -> End {
    loop {
        let told = tokio::select! {
            told = signals.next() => told,
            () = app.vital_task_failed() => {
                tracing::error!("stopping: a part failed that the server cannot go on without");
                return End::VitalTaskFailed;
            }
            () = restart.asked() => return End::Restart,
        };
        match told {
            Told::Stop(signal) => {
                let drain_timeout = config.drain_timeout;
                tracing::info!(
                    signal,
                    ?drain_timeout,
                    "stopping: new prompts are refused, running requests may end"
                );
                return End::Stop;
            }
            Told::Reload => match reload() {
                Ok(read) => {
                    *config = read;
                    restart.restart("SIGHUP: the configuration was read again");
                }
                Err(error) => {
                    tracing::error!(
                        signal = "SIGHUP",
                        error = format!("{error:#}"),
                        "the configuration cannot be used; going on with the old one"
                    );
                }
            },
        }
    }
}

/// Stops a server in order. Gives the exit code, unless it shall be started again.
async fn stop(
    app: App,
    end: End,
    signals: &mut Signals,
    listener: &mut Option<Listener>,
) -> Option<ExitCode> {
    let mut leaves = !matches!(end, End::Restart);
    if leaves {
        // With the last hold on it gone, the socket closes when the server stops accepting.
        *listener = None;
    }
    let started = Instant::now();
    let mut stopping = Box::pin(app.stop(!leaves));
    loop {
        tokio::select! {
            () = &mut stopping => break,
            name = signals.stop() => {
                if leaves {
                    // All that anyone has seen is durable, and the log says the rest at the next start.
                    tracing::warn!(signal = name, "second signal: leaving at once");
                    return Some(ExitCode::from(EXIT_IMPATIENT));
                }
                tracing::info!(signal = name, "stopping instead of restarting");
                leaves = true;
            }
        }
    }
    let elapsed_ms = started.elapsed().as_millis() as u64;
    if !leaves {
        tracing::info!(elapsed_ms, "stopped, to start again");
        return None;
    }
    tracing::info!(elapsed_ms, "stopped");
    Some(if matches!(end, End::VitalTaskFailed) {
        ExitCode::from(EXIT_VITAL_TASK)
    } else {
        ExitCode::SUCCESS
    })
}
