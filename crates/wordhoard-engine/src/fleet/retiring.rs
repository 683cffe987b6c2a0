//! The end of a server that will not come back: its log is ended in SQL, and a living server closes its requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wordhoard_store::LogKey;

use super::{GONE_AFTER, ServerReport, ServerState};
use crate::accounts;
use crate::applier::Link;
use crate::engine::Inner;
use crate::recovery::RetiredLog;
use crate::tasks::TaskKind;

/// How long a call waits for the requests to be closed. They are closed all the same if it takes longer.
const CLOSING_PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks how many are left.
const CLOSING_INTERVAL: Duration = Duration::from_millis(200);

/// What retiring a server has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Its requests that were open when it began.
    pub open_before: u64,
    /// Those that are not closed yet; they will be.
    pub open_still: u64,
}

/// Why a server was not retired. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// No server of this id has ever used the database.
    #[error("no server of this id has ever used the database")]
    Unknown,
    /// It is the one that was asked.
    #[error(
        "this is the server that was asked: to end it for good, `wordhoard servers leave` on its data directory, and stop it"
    )]
    ThisServer,
    /// It has spoken lately, or may have been kept from it.
    #[error(
        "the server has spoken {} s ago, or may not have been able to: one that runs is not retired, and one that is silent only \
         after {} s",
        .0.silent_for.as_secs(), GONE_AFTER.as_secs()
    )]
    StillThere(Box<ServerReport>),
    /// It has left by itself.
    #[error("the server has left: it has ended all its requests, and there is nothing to close")]
    HasLeft,
    /// SQL cannot be asked, or this server cannot close anything now.
    #[error("{0}")]
    Unavailable(String),
}

impl From<wordhoard_store::Error> for RetireError {
    fn from(error: wordhoard_store::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Inner {
    pub(crate) async fn retire(self: &Arc<Self>, log: LogKey) -> Result<Retired, RetireError> {
        if !matches!(*self.applier.watch_link().borrow(), Link::Up) {
            return Err(RetireError::Unavailable("the database cannot be used now".to_owned()));
        }
        if !self.accepting.is_open() || self.is_draining() {
            let problem =
                "this server is starting or stopping, or cannot write its log: ask another one, or later";
            return Err(RetireError::Unavailable(problem.to_owned()));
        }
        self.listen().await?;
        let report = self.server(log).ok_or(RetireError::Unknown)?;
        if report.is_this {
            return Err(RetireError::ThisServer);
        }
        if report.state == ServerState::Left {
            return Err(RetireError::HasLeft);
        }
        let is_retired = report.state != ServerState::Running
            && self.store.retire(log, Some(self.log()), GONE_AFTER).await?;
        if !is_retired {
            return Err(RetireError::StillThere(Box::new(report)));
        }
        tracing::warn!(server = %log, open_requests = report.open_requests, "a server is retired; its requests are closed");
        let (started, mut open_still) = (Instant::now(), report.open_requests);
        self.listen().await?;
        while open_still > 0 && started.elapsed() < CLOSING_PATIENCE {
            self.tend_retired().await;
            let left = CLOSING_PATIENCE.saturating_sub(started.elapsed());
            drop(tokio::time::timeout(left, self.applier.catch_up()).await);
            tokio::time::sleep(CLOSING_INTERVAL).await;
            self.listen().await?;
            open_still = self.server(log).map_or(0, |report| report.open_requests);
        }
        // What ran there counts against no key any more.
        if let Err(error) = accounts::hear_of_others(self).await {
            tracing::debug!(%error, "what keys use elsewhere is heard of a little later");
        }
        Ok(Retired { open_before: report.open_requests, open_still })
    }

    fn server(&self, log: LogKey) -> Option<ServerReport> {
        self.fleet.reports().into_iter().find(|report| report.log == log)
    }

    /// The logs that were ended with their servers.
    pub(crate) async fn retired_logs(&self) -> Result<Vec<RetiredLog>, wordhoard_store::Error> {
        let servers = self.store.servers().await?.into_iter();
        let retired = servers.filter_map(|seen| {
            let by = seen.retirement?.by;
            Some(RetiredLog { log: seen.log, is_closed_here: by == Some(self.log()) })
        });
        Ok(retired.collect())
    }

    /// Closes what retired servers have left, where that falls to this one. It may take longer than a beat may wait.
    pub(super) async fn tend_retired(self: &Arc<Self>) {
        let reports = self.fleet.reports();
        // Nobody else will, where the one that had taken it on has left or was retired, or goes on as this one.
        let has_given_up = |log| {
            let is_gone_for_good = |state| matches!(state, ServerState::Left | ServerState::Retired);
            let of_log = reports.iter().find(|other| other.log == log);
            self.is_ours(log) || of_log.is_some_and(|other| is_gone_for_good(other.state))
        };
        let mut falls_to_us = false;
        for report in reports.iter().filter(|report| report.open_requests > 0) {
            let Some(retirement) = report.retirement else { continue };
            falls_to_us |= match retirement.by {
                Some(by) if by == self.log() => true,
                Some(by) if !has_given_up(by) => false,
                from => {
                    matches!(self.store.take_on_retired(report.log, from, self.log()).await, Ok(true))
                }
            };
        }
        // While the log cannot be written, or another recovery runs, the next beat tries again.
        if falls_to_us && self.accepting.is_open() && self.recovering.try_lock().is_ok() {
            let engine = Arc::clone(self);
            let recovery = async move {
                if let Err(error) = engine.recover().await {
                    tracing::warn!(%error, "the requests of a retired server cannot be closed yet");
                }
            };
            drop(self.tasks.spawn(TaskKind::LateRecovery, recovery));
        }
    }

    /// Somebody took this server for lost, and another one has closed its requests: it accepts nothing more, and stops what it
    /// runs. What it has recorded since stays in its log.
    pub(crate) async fn stand_down_when_retired(self: Arc<Self>) {
        let mut link = self.applier.watch_link();
        let retired = async { link.wait_for(|link| matches!(link, Link::Retired)).await.is_ok() };
        let is_retired = tokio::select! {
            () = self.stop_tasks.cancelled() => false,
            is_retired = retired => is_retired,
        };
        if !is_retired {
            return;
        }
        tracing::error!(
            running = self.hub.running_count(),
            "this server was retired: no prompt is accepted, and what runs is stopped; stop it, and move its folder tokens.wal away \
             to begin a new log"
        );
        self.fleet.note_retired();
        self.accepting.close();
        self.stop.cancel();
        // Its readers shall hear that nothing more comes from here.
        self.running.wait_until_none().await;
        self.hub.break_all();
    }
}
