//! Version 4 of one payload: what version 3 has, and behind it what came later.
//!
//! Frozen as version 1 is.

mod attempt_finished;

use wordhoard_model::{Event, EventBody};

use super::KIND_ATTEMPT_FINISHED;
use super::v1::{frame, unframe_owned};

pub(super) fn encode(prefix: Vec<u8>, event: &Event) -> Result<Vec<u8>, String> {
    match &event.body {
        EventBody::AttemptFinished(finished) => {
            frame(prefix, event, attempt_finished::AttemptFinishedV4::from_model(finished))
        }
        other => Err(format!("{} has no version 4", other.name())),
    }
}

/// `None` for a kind that version 4 does not have.
pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Option<Event>, String> {
    match kind {
        KIND_ATTEMPT_FINISHED => unframe_owned(bytes, |finished: attempt_finished::AttemptFinishedV4| {
            Ok(EventBody::AttemptFinished(finished.into_model()?))
        })
        .map(Some),
        _ => Ok(None),
    }
}
