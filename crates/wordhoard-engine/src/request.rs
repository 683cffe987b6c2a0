//! A running request: its lanes side by side, then its end.

mod attempt;
mod lane;
mod report;

use std::sync::Arc;

pub(crate) use attempt::server_stopped;
use futures_util::future::join_all;
use lane::LaneEnd;
use tokio_util::sync::CancellationToken;
use wordhoard_model::{EventBody, Lane, LaneState, Outcome};

use crate::hub::{AppendError, LiveRequest};
use crate::metrics::Metrics;
use crate::providers::ProviderSet;
use crate::switches::Switches;
use crate::tasks::Tasks;
use crate::trace::RequestTrace;

/// What a request needs to run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) live: Arc<LiveRequest>,
    pub(crate) providers: ProviderSet,
    pub(crate) switches: Arc<Switches>,
    /// Where the rests of answers are read.
    pub(crate) tasks: Tasks,
    /// Ends when the server stops.
    pub(crate) stop: CancellationToken,
    /// Whether what the stop of a server interrupts is left open, to go on at the next start.
    pub(crate) resume_interrupted: bool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trace: RequestTrace,
}

impl Run {
    /// Runs every lane that has not ended, and closes the request. All lanes share one task: they wait for
    /// providers nearly all the time.
    pub(crate) async fn run(self) {
        let _end = EndGuard(&self.live);
        let state = self.live.state();
        let lanes = (0..state.lanes().len()).map(|lane| Lane(lane as u8));
        let due = lanes.filter(|lane| is_due(state.lane(*lane)));
        let ends = join_all(due.map(|lane| lane::run(&self, lane))).await;
        match self.close(&ends) {
            Ok(()) => {}
            // A latched log is told once, by the guard of the storage; recovery goes on from what is durable.
            Err(AppendError::Log(error)) => {
                tracing::debug!(request_id = %self.live.id(), %error, "a request was left open");
            }
            Err(error) => {
                tracing::error!(request_id = %self.live.id(), %error, "a request fails by a fault of ours");
                self.live.fail_open_parts();
            }
        }
    }

    fn close(&self, ends: &[Result<LaneEnd, AppendError>]) -> Result<(), AppendError> {
        if let Some(error) = ends.iter().find_map(|end| end.as_ref().err()) {
            return Err(error.clone());
        }
        let stopped = ends.iter().any(|end| matches!(end, Ok(LaneEnd::Stopped)));
        if stopped && self.resume_interrupted {
            return Ok(());
        }
        let closed = self.live.append(|state| EventBody::RequestFinished(state.closing()))?;
        if let EventBody::RequestFinished(finished) = &closed.body {
            report::request_finished(self, finished);
        }
        Ok(())
    }
}

/// Ends a request whose task panics: it must not stay open until the next start, its readers waiting.
struct EndGuard<'a>(&'a Arc<LiveRequest>);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail_open_parts();
        }
    }
}

/// Whether a lane has to run (again).
pub(crate) fn is_due(lane: LaneState) -> bool {
    matches!(lane, LaneState::Waiting | LaneState::Ended(_, Outcome::Interrupted))
}
