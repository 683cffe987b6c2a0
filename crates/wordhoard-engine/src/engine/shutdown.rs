//! The orderly end: no new prompts, a while for what runs, then its end is recorded, applied, and all is closed.
//!
//! Each step is a call of its own; whoever runs them sets the limits. None of them is needed for the promises: what
//! anyone has seen is durable at any moment.

use std::time::{Duration, Instant};

use wordhoard_model::EventBody;
use wordhoard_store::{Departure, ServerSeen};

use super::{Engine, Inner};
use crate::applier::Link;
use crate::recovery;

/// How often it is looked whether the last events are durable.
const SETTLE_INTERVAL: Duration = Duration::from_millis(2);
/// The limits of [`Engine::drain`] and [`Engine::close`], which run the steps where there is no server around.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);
const APPLY_PATIENCE: Duration = Duration::from_secs(5);
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

impl Inner {
    pub(crate) fn is_draining(&self) -> bool {
        self.stop_tasks.is_cancelled() || self.draining.is_open()
    }
}

impl Inner {
    /// What would be left behind if this server went for good now.
    async fn why_not_leave(&self) -> Option<String> {
        let backlog = self.applier.backlog();
        if backlog > 0 {
            return Some(format!("SQL lacks {backlog} records of the log"));
        }
        let servers = match self.store.servers().await {
            Ok(servers) => servers,
            Err(error) => return Some(error.to_string()),
        };
        let is_for_us = |seen: &ServerSeen| {
            let by = seen.retirement.and_then(|retirement| retirement.by);
            self.is_ours(seen.log) || by.is_some_and(|by| self.is_ours(by))
        };
        let open: u64 = servers.iter().filter(|seen| is_for_us(seen)).map(|seen| seen.open_requests).sum();
        (open > 0).then(|| format!("{open} requests are still open that are this server's to end"))
    }
}

impl Engine {
    /// Refuses new prompts from now on. What runs goes on.
    pub fn begin_drain(&self) {
        self.inner.draining.open();
        self.inner.accepting.close();
    }

    /// Waits until nothing runs any more.
    pub async fn idle(&self) {
        self.inner.running.wait_until_none().await;
    }

    /// Stops what runs, and waits until that is recorded. It goes on at the next start.
    pub async fn interrupt(&self) {
        let running = self.inner.hub.running_count();
        if running > 0 {
            tracing::info!(running, "the time to drain is over; requests are interrupted");
        }
        self.inner.stop.cancel();
        self.idle().await;
    }

    /// Waits until all that was recorded is durable.
    pub async fn settle(&self) {
        while !self.inner.journal.is_settled() {
            tokio::time::sleep(SETTLE_INTERVAL).await;
        }
    }

    /// Gives SQL what it does not have yet.
    ///
    /// # Errors
    /// Where the log has failed, so that it cannot be read.
    pub async fn apply_all(&self) -> Result<(), String> {
        let caught_up = self.inner.applier.catch_up().await;
        if caught_up { Ok(()) } else { Err("the log cannot make durable what it was given".to_owned()) }
    }

    /// Makes durable what was recorded, and closes the log. Call it after the last reader.
    ///
    /// # Errors
    /// Where the thread that closes it failed; the next start recovers the log.
    pub async fn close_log(&self) -> Result<(), String> {
        self.inner.stop_tasks.cancel();
        let wal = self.inner.wal.clone();
        tokio::task::spawn_blocking(move || wal.close()).await.map_err(|error| error.to_string())
    }

    /// Ends all that is still open as interrupted, so that the next start has nothing to go on with. Call it after
    /// [`Engine::interrupt`].
    ///
    /// # Errors
    /// Where the log cannot take it.
    pub fn end_open_requests(&self) -> Result<usize, String> {
        let (mut ended, mut problem) = (0, None);
        for live in self.inner.hub.all() {
            if live.state().finished().is_some() {
                continue;
            }
            let end = recovery::close_open_attempts(&live)
                .and_then(|()| live.append(|state| EventBody::RequestFinished(Box::new(state.closing()))));
            match end {
                Ok(_) => ended += 1,
                Err(error) => problem = Some(format!("request {} is still open: {error}", live.id())),
            }
        }
        problem.map_or(Ok(ended), Err)
    }

    /// Says to the other servers that this one goes, and whether for good: that only where SQL has all that it has recorded, and
    /// knows of no request that it has left open.
    ///
    /// # Errors
    /// Where SQL cannot hear it.
    pub async fn depart(&self, departure: Departure) -> Result<(), String> {
        let inner = &self.inner;
        if !matches!(*inner.applier.watch_link().borrow(), Link::Up) {
            return Err("SQL is away, and the other servers will miss this one".to_owned());
        }
        let refused = match departure {
            Departure::Left => inner.why_not_leave().await,
            Departure::Stopped => None,
        };
        // One that cannot leave yet comes back.
        let said = if refused.is_some() { Departure::Stopped } else { departure };
        inner.depart(said).await.map_err(|error| error.to_string())?;
        refused.map_or(Ok(()), Err)
    }

    /// Closes the database.
    pub async fn close_store(&self) {
        self.inner.store.close().await;
    }

    /// Waits for what runs, at most so long; then stops it. What was stopped is recorded as interrupted and goes on
    /// at the next start.
    pub async fn drain(&self, timeout: Duration) {
        let started = Instant::now();
        let in_time = tokio::time::timeout(timeout, self.idle()).await.is_ok();
        if !in_time && tokio::time::timeout(STOP_PATIENCE, self.interrupt()).await.is_err() {
            tracing::warn!("requests did not stop in time; recovery closes them at the next start");
        }
        if tokio::time::timeout(SETTLE_PATIENCE, self.settle()).await.is_err() {
            tracing::warn!("the last events did not become durable in time");
        }
        tracing::info!(elapsed_ms = started.elapsed().as_millis() as u64, in_time, "requests have ended");
    }

    /// Makes durable what was recorded, gives SQL a last chance, and closes both. Call it after the last reader.
    pub async fn close(&self) {
        if let Err(problem) = self.close_as(Departure::Stopped).await {
            tracing::warn!(problem, "the other servers could not be told that this one goes");
        }
    }

    /// The same, saying how it goes.
    ///
    /// # Errors
    /// Where the other servers could not be told, or it cannot go so yet; all is closed nevertheless.
    pub async fn close_as(&self, departure: Departure) -> Result<(), String> {
        if !matches!(tokio::time::timeout(APPLY_PATIENCE, self.apply_all()).await, Ok(Ok(()))) {
            tracing::warn!(
                "SQL did not catch up in time; the log has everything and is applied at the next start"
            );
        }
        let told = tokio::time::timeout(APPLY_PATIENCE, self.depart(departure)).await;
        if !matches!(tokio::time::timeout(CLOSE_PATIENCE, self.close_log()).await, Ok(Ok(()))) {
            tracing::error!("the log could not be closed in time; the next start recovers it");
        }
        if !matches!(tokio::time::timeout(CLOSE_PATIENCE, self.archive_now()).await, Ok(Ok(()))) {
            tracing::warn!("the archive does not have the end of the log; it follows at the next start");
        }
        if tokio::time::timeout(CLOSE_PATIENCE, self.close_store()).await.is_err() {
            tracing::warn!("the database could not be closed in time");
        }
        told.unwrap_or_else(|_| Err("SQL does not answer".to_owned()))
    }
}
