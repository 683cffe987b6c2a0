//! Version 2 of four payloads: what version 1 has, and behind it what came later.
//!
//! Frozen as version 1 is.

pub(super) mod attempt_finished;
pub(super) mod request_created;
mod request_finished;
mod token;

use wordhoard_model::{Event, EventBody};

use super::v1::{frame, unframe, unframe_owned};
use super::{KIND_ATTEMPT_FINISHED, KIND_REQUEST_CREATED, KIND_REQUEST_FINISHED, KIND_TOKEN};

pub(super) fn encode(prefix: Vec<u8>, event: &Event) -> Result<Vec<u8>, String> {
    match &event.body {
        EventBody::AttemptFinished(finished) => {
            frame(prefix, event, attempt_finished::AttemptFinishedV2::from_model(finished))
        }
        EventBody::RequestFinished(finished) => {
            frame(prefix, event, request_finished::RequestFinishedV2::from_model(finished))
        }
        EventBody::Token(token) => frame(prefix, event, token::TokenV2::from_model(token)),
        other => Err(format!("{} is not written in version 2", other.name())),
    }
}

/// `None` for a kind that version 2 does not have.
pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Option<Event>, String> {
    let event = match kind {
        KIND_REQUEST_CREATED => unframe(bytes, |created: request_created::RequestCreatedV2<'_>| {
            Ok(EventBody::RequestCreated(Box::new(created.into_model()?)))
        })?,
        KIND_TOKEN => unframe(bytes, |token: token::TokenV2<'_>| Ok(EventBody::Token(token.into_model()?)))?,
        KIND_ATTEMPT_FINISHED => unframe_owned(bytes, |finished: attempt_finished::AttemptFinishedV2| {
            Ok(EventBody::AttemptFinished(finished.into_model()?))
        })?,
        KIND_REQUEST_FINISHED => unframe_owned(bytes, |finished: request_finished::RequestFinishedV2| {
            Ok(EventBody::RequestFinished(finished.into_model()?))
        })?,
        _ => return Ok(None),
    };
    Ok(Some(event))
}
