//! The end of a request on demand.

use std::time::Duration;

use wordhoard_model::{Outcome, RequestId, RequestStatus};

use super::Engine;
use crate::fleet::{ServerReport, ServerState};
use crate::history::ReadError;

/// How long a cancel waits for the end of the request to be recorded.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// Why a request could not be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such request.
    #[error("there is no such request")]
    NotFound,
    /// There was one, and it was pruned.
    #[error("{}", ReadError::Pruned)]
    Pruned,
    /// It was told to stop, but its end is not recorded yet.
    #[error("the request was told to stop, but its end is not recorded yet")]
    StillRunning,
    /// Another server runs it, or did.
    #[error("{}", told_elsewhere(.0.as_deref()))]
    RunsElsewhere(Option<Box<ServerReport>>),
    /// Whether there is such a request cannot be told.
    #[error("{0}")]
    Unavailable(String),
}

fn told_elsewhere(server: Option<&ServerReport>) -> String {
    let Some(server) = server else {
        return "the request belongs to another server, which has to be asked".to_owned();
    };
    let (log, address) = (server.log, &server.profile.address);
    match server.state {
        ServerState::Running => format!("the request belongs to server {log}: cancel it there, at {address}"),
        state => format!(
            "the request belongs to server {log} ({address}), which is {}: it ends when that server is back, or is retired",
            state.as_str()
        ),
    }
}

impl Engine {
    /// Stops a request and waits until its end is recorded. A request that has ended stays as it ended.
    ///
    /// # Errors
    /// Where there is none, or its end takes too long.
    pub async fn cancel(&self, id: RequestId) -> Result<Outcome, CancelError> {
        if let Some(live) = self.inner.hub.get(id) {
            live.cancel();
            let mut visible = live.watch();
            let ended = visible.wait_for(|visible| visible.finished || visible.broken);
            drop(tokio::time::timeout(CANCEL_PATIENCE, ended).await);
            return live.visible_end().map(|finished| finished.outcome).ok_or(CancelError::StillRunning);
        }
        let ask = || self.inner.transcript(id);
        let found = self.inner.unless_new_elsewhere(id, Option::is_none, ask).await;
        let found = found.map_err(|error| match error {
            ReadError::Erased => CancelError::NotFound,
            error => CancelError::Unavailable(error.to_string()),
        });
        match found?.map(|found| found.state.status()) {
            None => match self.inner.history.ensure_not_pruned(id).await {
                Err(ReadError::Pruned) => Err(CancelError::Pruned),
                Err(error) => Err(CancelError::Unavailable(error.to_string())),
                Ok(()) => Err(CancelError::NotFound),
            },
            Some(RequestStatus::Finished(outcome)) => Ok(outcome),
            Some(RequestStatus::Running) if self.inner.hub.is_whole() => {
                Err(CancelError::RunsElsewhere(self.server_of(id).await))
            }
            Some(RequestStatus::Running) => Err(CancelError::StillRunning),
        }
    }
}
