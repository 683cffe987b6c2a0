//! Version 3 of one payload: what version 2 has, and behind it what came later.
//!
//! Frozen as version 1 is.

mod request_created;

use wordhoard_model::{Event, EventBody};

use super::KIND_REQUEST_CREATED;
use super::v1::{frame, unframe};

pub(super) fn encode(prefix: Vec<u8>, event: &Event) -> Result<Vec<u8>, String> {
    match &event.body {
        EventBody::RequestCreated(created) => {
            frame(prefix, event, request_created::RequestCreatedV3::from_model(created)?)
        }
        other => Err(format!("{} has no version 3", other.name())),
    }
}

/// `None` for a kind that version 3 does not have.
pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Option<Event>, String> {
    if kind != KIND_REQUEST_CREATED {
        return Ok(None);
    }
    let event = unframe(bytes, |created: request_created::RequestCreatedV3<'_>| {
        Ok(EventBody::RequestCreated(Box::new(created.into_model()?)))
    })?;
    Ok(Some(event))
}
