//! After a crash, or after the log had latched: closes the attempts that are open in SQL, and goes on with their
//! requests or closes them. The log is applied as far as it is durable when this runs, so SQL has the whole truth.

use std::sync::Arc;

use wordhoard_model::{EventBody, Lane, Outcome, RequestCreated, RequestId, RequestState, Seq};
use wordhoard_store::{LogKey, Store};

use crate::hub::{AppendError, Hub, Journal, LiveRequest};
use crate::request;

/// Interruptions of one lane after which it is closed instead of tried again: a prompt that kills the server shall
/// not do so for ever.
const MAX_INTERRUPTIONS_PER_LANE: usize = 5;
const PAGE_EVENTS: usize = 4096;

/// Why a request could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// SQL could not be read.
    #[error(transparent)]
    Store(#[from] wordhoard_store::Error),
    /// The log latched (again) before all was recovered.
    #[error("the log cannot be written")]
    Latched,
    /// The log could not take the events that recovery makes.
    #[error("{0}")]
    Append(String),
}

impl From<AppendError> for RecoveryError {
    fn from(error: AppendError) -> Self {
        Self::Append(error.to_string())
    }
}

/// What recovery found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Requests that go on.
    pub(crate) resumed: Vec<Arc<LiveRequest>>,
    /// Requests that were closed as interrupted.
    pub(crate) closed: usize,
    /// Requests whose events do not make sense; left as they are, for the consistency check.
    pub(crate) damaged: usize,
}

pub(crate) async fn recover(
    store: &dyn Store,
    log: LogKey,
    hub: &Hub,
    journal: &Arc<Journal>,
    resume_interrupted: bool,
) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    for id in store.open_requests(log).await? {
        // What is in memory runs, or has ended and is not applied yet: nothing of it was interrupted.
        if hub.get(id).is_some() {
            continue;
        }
        let Some((created, state)) = load(store, id).await? else {
            recovered.damaged += 1;
            continue;
        };
        let live = LiveRequest::resume(id, created, state, journal);
        hub.insert(Arc::clone(&live));
        close_open_attempts(&live)?;
        if resume_interrupted && may_go_on(&live.state()) {
            recovered.resumed.push(live);
        } else {
            live.append(|state| EventBody::RequestFinished(state.closing()))?;
            recovered.closed += 1;
        }
    }
    Ok(recovered)
}

/// The state of a request as SQL tells it; `None`, with a line in the log, where its events do not make sense.
async fn load(
    store: &dyn Store,
    id: RequestId,
) -> Result<Option<(RequestCreated, RequestState)>, RecoveryError> {
    let mut found: Option<(RequestCreated, RequestState)> = None;
    loop {
        let from = found.as_ref().map_or(Seq::FIRST, |(_, state)| state.next_seq());
        let page = store.events(id, from, PAGE_EVENTS).await?;
        if page.is_empty() {
            return Ok(found);
        }
        for event in &page {
            let followed = match (&mut found, &event.body) {
                (Some((_, state)), _) => state.apply(event),
                (None, EventBody::RequestCreated(created)) => {
                    RequestState::begin(event).map(|state| found = Some(((**created).clone(), state)))
                }
                (None, _) => RequestState::begin(event).map(drop),
            };
            if let Err(violation) = followed {
                tracing::error!(request_id = %id, %violation, "an open request is damaged and cannot go on");
                return Ok(None);
            }
        }
    }
}

fn close_open_attempts(live: &Arc<LiveRequest>) -> Result<(), AppendError> {
    let open: Vec<_> = live.state().open_attempts().map(|attempt| attempt.started.attempt_seq).collect();
    for attempt_seq in open {
        let failure = Some(request::server_stopped());
        live.append(|state| {
            EventBody::AttemptFinished(state.ending(attempt_seq, Outcome::Interrupted, failure))
        })?;
    }
    Ok(())
}

fn may_go_on(state: &RequestState) -> bool {
    let lanes = (0..state.lanes().len()).map(|lane| Lane(lane as u8));
    let mut due = lanes.filter(|lane| request::is_due(state.lane(*lane))).peekable();
    due.peek().is_some() && due.all(|lane| interruptions(state, lane) < MAX_INTERRUPTIONS_PER_LANE)
}

fn interruptions(state: &RequestState, lane: Lane) -> usize {
    let of_lane = state.attempts().iter().filter(|attempt| attempt.started.lane == lane);
    of_lane
        .filter(|attempt| {
            attempt.finished.as_ref().is_some_and(|(_, end)| end.outcome == Outcome::Interrupted)
        })
        .count()
}
