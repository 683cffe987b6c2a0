//! Version 3 of two payloads: what version 2 has, and behind it what came later.
//!
//! Frozen as version 1 is.

mod attempt_finished;
mod request_created;

use wordhoard_model::{Event, EventBody};

use super::v1::{frame, unframe, unframe_owned};
use super::{KIND_ATTEMPT_FINISHED, KIND_REQUEST_CREATED};

pub(super) fn encode(prefix: Vec<u8>, event: &Event) -> Result<Vec<u8>, String> {
    match &event.body {
        EventBody::RequestCreated(created) => {
            frame(prefix, event, request_created::RequestCreatedV3::from_model(created)?)
        }
        EventBody::AttemptFinished(finished) => {
            frame(prefix, event, attempt_finished::AttemptFinishedV3::from_model(finished))
        }
        other => Err(format!("{} has no version 3", other.name())),
    }
}

/// `None` for a kind that version 3 does not have.
pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Option<Event>, String> {
    let event = match kind {
        KIND_REQUEST_CREATED => unframe(bytes, |created: request_created::RequestCreatedV3<'_>| {
            Ok(EventBody::RequestCreated(Box::new(created.into_model()?)))
        })?,
        KIND_ATTEMPT_FINISHED => unframe_owned(bytes, |finished: attempt_finished::AttemptFinishedV3| {
            Ok(EventBody::AttemptFinished(finished.into_model()?))
        })?,
        _ => return Ok(None),
    };
    Ok(Some(event))
}
