//! Version 1 of the payloads: postcard, one persisted type a file.
//!
//! These types are frozen: a change of any field or of its order is a new version beside this one. They are kept
//! apart from the model on purpose, so that a change of the model cannot change what is on disk.

pub(super) mod attempt_finished;
mod attempt_started;
pub(super) mod request_created;
pub(super) mod request_finished;
pub(super) mod token;
pub(super) mod usage;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wordhoard_model::{Event, EventBody, Seq, Timestamp};

use super::{
    KIND_ATTEMPT_FINISHED, KIND_ATTEMPT_STARTED, KIND_REQUEST_CREATED, KIND_REQUEST_FINISHED, KIND_TOKEN,
};

/// Every payload after the request's id: where and when, then what.
#[derive(Serialize, Deserialize)]
struct Framed<B> {
    seq: u64,
    at_ms: i64,
    body: B,
}

/// Encodes what is still written in this version.
pub(super) fn encode(prefix: Vec<u8>, event: &Event) -> Result<Vec<u8>, String> {
    match &event.body {
        EventBody::AttemptStarted(started) => {
            frame(prefix, event, attempt_started::AttemptStartedV1::from_model(started))
        }
        EventBody::Token(token) => frame(prefix, event, token::TokenV1::from_model(token)),
        other => Err(format!("{} is written in a newer version", other.name())),
    }
}

pub(super) fn frame<B: Serialize>(prefix: Vec<u8>, event: &Event, body: B) -> Result<Vec<u8>, String> {
    let framed = Framed { seq: event.seq.0, at_ms: event.at.as_millis(), body };
    postcard::to_extend(&framed, prefix).map_err(|error| error.to_string())
}

/// `None` for a kind that version 1 does not have.
pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Option<Event>, String> {
    let event = match kind {
        KIND_REQUEST_CREATED => unframe(bytes, |created: request_created::RequestCreatedV1<'_>| {
            Ok(EventBody::RequestCreated(Box::new(created.into_model()?)))
        })?,
        KIND_ATTEMPT_STARTED => unframe_owned(bytes, |started: attempt_started::AttemptStartedV1| {
            Ok(EventBody::AttemptStarted(started.into_model()?))
        })?,
        KIND_TOKEN => unframe(bytes, |token: token::TokenV1<'_>| Ok(EventBody::Token(token.into_model()?)))?,
        KIND_ATTEMPT_FINISHED => unframe_owned(bytes, |finished: attempt_finished::AttemptFinishedV1| {
            Ok(EventBody::AttemptFinished(finished.into_model()?))
        })?,
        KIND_REQUEST_FINISHED => unframe_owned(bytes, |finished: request_finished::RequestFinishedV1| {
            Ok(EventBody::RequestFinished(finished.into_model()?))
        })?,
        _ => return Ok(None),
    };
    Ok(Some(event))
}

pub(super) fn unframe_owned<B: DeserializeOwned>(
    bytes: &[u8],
    to_model: impl FnOnce(B) -> Result<EventBody, String>,
) -> Result<Event, String> {
    unframe(bytes, to_model)
}

pub(super) fn unframe<'a, B: Deserialize<'a>>(
    bytes: &'a [u8],
    to_model: impl FnOnce(B) -> Result<EventBody, String>,
) -> Result<Event, String> {
    let (framed, rest) = postcard::take_from_bytes::<Framed<B>>(bytes).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes behind the end", rest.len()));
    }
    let body = to_model(framed.body)?;
    Ok(Event { seq: Seq(framed.seq), at: Timestamp::from_millis(framed.at_ms), body })
}

/// A name from one of the model's tables, as it stands on disk.
pub(super) fn named<T>(name: &str, from_name: fn(&str) -> Option<T>) -> Result<T, String> {
    from_name(name).ok_or_else(|| format!("{name:?} is no name that this server knows"))
}
