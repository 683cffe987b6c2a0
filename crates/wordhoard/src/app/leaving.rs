//! A server that goes for good. The wish is a file in its data directory: it needs neither SQL nor the network, and a server that is
//! started again knows of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wordhoard_engine::Engine;
use wordhoard_store::Departure;

use super::Core;
use crate::config::Config;

/// Within the data directory.
const FILE: &str = "leave";
/// How long a server that does not run may take to end what it has left.
const LEAVING_PATIENCE: Duration = Duration::from_secs(60);

/// The wish that a server leave at its next stop.
#[derive(Clone, Debug)]
pub struct LeaveMark(PathBuf);

impl LeaveMark {
    /// That of a data directory.
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Whether it is there.
    pub fn is_set(&self) -> bool {
        self.0.exists()
    }

    /// Puts it there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set(&self) -> std::io::Result<()> {
        wordhoard_wal::disk::replace_durably(
            &self.0,
            b"This server closes all its requests when it is stopped next.\n",
        )
    }

    /// Takes it away. Whether it was there.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(&self) -> std::io::Result<bool> {
        match std::fs::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// How the end of a running server regards the wish.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    mark: LeaveMark,
    starts_anew: Arc<AtomicBool>,
}

impl Leaving {
    pub(super) fn new(data_dir: &Path) -> Self {
        let leaving = Self { mark: LeaveMark::of(data_dir), starts_anew: Arc::default() };
        if leaving.mark.is_set() {
            tracing::warn!(
                "this server is to leave: when it is stopped next, it closes all its requests (`wordhoard servers leave --undo` takes that back)"
            );
        }
        leaving
    }

    /// It starts anew in this process.
    pub(super) fn forbid(&self) {
        self.starts_anew.store(true, Ordering::Release);
    }

    fn is_due(&self) -> bool {
        !self.starts_anew.load(Ordering::Acquire) && self.mark.is_set()
    }

    /// Closes what the drain has not ended.
    pub(super) fn end_open_requests(&self, engine: &Engine) -> Result<(), String> {
        if self.is_due() {
            let ended = engine.end_open_requests()?;
            tracing::info!(
                ended,
                "this server leaves; requests that had not ended are closed as interrupted"
            );
        }
        Ok(())
    }

    /// Tells the other servers. Once SQL knows that this one has left, the wish is fulfilled.
    pub(super) async fn depart(&self, engine: &Engine) -> Result<(), String> {
        if !self.is_due() {
            return engine.depart(Departure::Stopped).await;
        }
        match engine.depart(Departure::Left).await {
            Ok(()) => self.mark.remove().map(drop).map_err(|error| error.to_string()),
            Err(problem) => {
                tracing::error!(
                    problem,
                    "this server has not left yet: keep its data directory, and run `wordhoard servers leave` on it once SQL is there"
                );
                Err(problem)
            }
        }
    }
}

impl Core {
    /// Ends what a server that leaves for good has left open on its data directory, while none runs there.
    ///
    /// # Errors
    /// Why it could not be done; what was done stays done.
    pub async fn leave_alone(config: &Config) -> anyhow::Result<()> {
        let leaving = tokio::time::timeout(LEAVING_PATIENCE, Self::leave_at_leisure(config));
        leaving.await.unwrap_or_else(|_| {
            let seconds = LEAVING_PATIENCE.as_secs();
            anyhow::bail!("it is not done after {seconds} s; what was done stays done, try again once the database is there")
        })
    }

    async fn leave_at_leisure(config: &Config) -> anyhow::Result<()> {
        let core = Self::start_alone(&Config { resume_interrupted: false, ..config.clone() }).await?;
        let engine = &core.engine;
        engine.begin_drain();
        engine.drain(Duration::ZERO).await;
        let ended = engine.end_open_requests().map(drop);
        if ended.is_ok() {
            engine.settle().await;
        }
        let is_applied = if ended.is_ok() { engine.apply_all().await } else { ended };
        let departure = if is_applied.is_ok() { Departure::Left } else { Departure::Stopped };
        let left = engine.close_as(departure).await;
        is_applied.and(left).map_err(anyhow::Error::msg)
    }
}
