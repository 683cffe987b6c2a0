//! A running request: its lanes side by side, then its end.

mod attempt;
mod delivered;
mod desertion;
mod frame;
mod lane;
mod plan;
pub(crate) mod readiness;
mod report;
mod tickets;

use std::sync::Arc;

pub(crate) use attempt::server_stopped;
use futures_util::future::join_all;
use lane::LaneEnd;
pub(crate) use tickets::Tickets;
use wordhoard_model::{EventBody, Lane, LaneState, Outcome, Prompt};
use wordhoard_providers::{ClientCredential, client_dialect_of};

use crate::accounts::Reservation;
use crate::admission::Place;
use crate::calls::Pool;
use crate::engine::Inner;
use crate::hub::{AppendError, LiveRequest};
use crate::trace::RequestTrace;

/// What a request needs to run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) engine: Arc<Inner>,
    pub(crate) live: Arc<LiveRequest>,
    pub(crate) trace: RequestTrace,
    pub(crate) going: Going,
}

/// What a request brings along from its admission.
#[derive(Debug)]
pub(crate) struct Going {
    /// Its places in the queues of its providers.
    pub(crate) tickets: Tickets,
    /// What its key has reserved for it.
    pub(crate) reservation: Option<Reservation>,
    /// The client's own credential, which an earlier run has taken with it.
    pub(crate) credential: Option<ClientCredential>,
    /// Its place among those that run, given back at its end.
    pub(crate) _place: Place,
}

impl Run {
    /// Runs every lane to its end, and closes the request. All lanes share one task: they wait for
    /// providers nearly all the time.
    pub(crate) async fn run(self) {
        let _end = EndGuard(&self.live);
        let state = self.live.state();
        let lanes = (0..state.lanes().len()).map(|lane| Lane(lane as u8));
        let ends = tokio::select! {
            ends = join_all(lanes.map(|lane| lane::run(&self, lane))) => ends,
            never = desertion::watch(&self) => match never {},
        };
        match self.close(&ends) {
            Ok(()) => {}
            // A latched log is told once, by the guard of the storage; recovery goes on from what is durable.
            Err(AppendError::Log(error)) => {
                tracing::debug!(request_id = %self.live.id(), %error, "a request was left open");
                return;
            }
            Err(error) => {
                tracing::error!(request_id = %self.live.id(), %error, "a request fails by a fault of ours");
                self.live.fail_open_parts();
            }
        }
        if let Some(reservation) = self.going.reservation
            && let Some((_, finished)) = self.live.state().finished()
        {
            reservation.settle(finished);
        }
    }

    fn close(&self, ends: &[Result<LaneEnd, AppendError>]) -> Result<(), AppendError> {
        if let Some(error) = ends.iter().find_map(|end| end.as_ref().err()) {
            return Err(error.clone());
        }
        let stopped = ends.iter().any(|end| matches!(end, Ok(LaneEnd::Stopped)));
        if stopped && self.engine.settings.resume_interrupted {
            return Ok(());
        }
        let closed = self.live.append(|state| EventBody::RequestFinished(Box::new(state.closing())))?;
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

/// The slots that the calls of a request take.
pub(crate) fn pool_of(prompt: &Prompt) -> Pool {
    if client_dialect_of(prompt).is_some() { Pool::DropIn } else { Pool::Native }
}

/// Whether a lane may have to run (again): its plan says.
pub(crate) fn may_be_due(lane: LaneState) -> bool {
    !matches!(lane, LaneState::Ended(_, Outcome::Completed | Outcome::Cancelled))
}
