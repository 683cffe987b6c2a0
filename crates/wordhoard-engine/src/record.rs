//! Events as records of the log.
//!
//! A record is one event. Its payload begins with the 16 bytes of the request's id, in every version, so that a scan
//! for one request need not decode the others. `kind` says which event, `version` how the rest is encoded; an older
//! version stays readable for ever. The formats are written down in `docs/storage-format.md`.

mod v1;
mod v2;
mod v3;
mod v4;

use wordhoard_model::{AttemptFinished, Event, EventBody, RequestId};

/// A record without content. It takes a position and is passed over by every reader.
pub(crate) const KIND_FILLER: u8 = 0;
pub(crate) const KIND_REQUEST_CREATED: u8 = 1;
const KIND_ATTEMPT_STARTED: u8 = 2;
const KIND_TOKEN: u8 = 3;
const KIND_ATTEMPT_FINISHED: u8 = 4;
pub(crate) const KIND_REQUEST_FINISHED: u8 = 5;

/// A record that is no event of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Made by a newer server.
    #[error("kind {kind}, version {version} is not known to this server")]
    Unknown {
        /// The kind of the record.
        kind: u8,
        /// The version of its payload.
        version: u8,
    },
    /// The payload does not decode.
    #[error("kind {kind}, version {version}: {reason}")]
    Malformed {
        /// The kind of the record.
        kind: u8,
        /// The version of its payload.
        version: u8,
        /// What is wrong.
        reason: String,
    },
}

/// An event as the log takes it.
pub(crate) struct Encoded {
    pub(crate) kind: u8,
    pub(crate) version: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn encode(id: RequestId, event: &Event) -> Result<Encoded, Error> {
    let kind = match &event.body {
        EventBody::RequestCreated(_) => KIND_REQUEST_CREATED,
        EventBody::AttemptStarted(_) => KIND_ATTEMPT_STARTED,
        EventBody::Token(_) => KIND_TOKEN,
        EventBody::AttemptFinished(_) => KIND_ATTEMPT_FINISHED,
        EventBody::RequestFinished(_) => KIND_REQUEST_FINISHED,
    };
    let prefix = id.as_bytes().to_vec();
    // The newest version of each kind that its content needs.
    let version = match &event.body {
        EventBody::AttemptStarted(_) => 1,
        EventBody::Token(token) => 1 + u8::from(token.envelope.is_some()),
        EventBody::AttemptFinished(finished) => version_of_end(finished),
        EventBody::RequestFinished(_) => 2,
        EventBody::RequestCreated(_) => 3,
    };
    let payload = match version {
        1 => v1::encode(prefix, event),
        2 => v2::encode(prefix, event),
        4 => v4::encode(prefix, event),
        _ => v3::encode(prefix, event),
    };
    let payload = payload.map_err(|reason| Error::Malformed { kind, version, reason })?;
    Ok(Encoded { kind, version, payload })
}

fn version_of_end(finished: &AttemptFinished) -> u8 {
    let has_details = finished.usage.is_some_and(|usage| !usage.details.is_empty());
    match (has_details || finished.provider_finish_reason.is_some(), finished.envelope.is_some()) {
        (true, _) => 4,
        (false, true) => 3,
        (false, false) => 2,
    }
}

/// Decodes a record of the log; `None` for a filler.
///
/// # Errors
/// Where the record is of a newer server, or damaged in a way that its checksum did not show.
pub fn decode(kind: u8, version: u8, payload: &[u8]) -> Result<Option<(RequestId, Event)>, Error> {
    if kind == KIND_FILLER {
        return Ok(None);
    }
    let decode = match version {
        1 => v1::decode,
        2 => v2::decode,
        3 => v3::decode,
        4 => v4::decode,
        _ => return Err(Error::Unknown { kind, version }),
    };
    let malformed = |reason: String| Error::Malformed { kind, version, reason };
    let id = request_id(payload).ok_or_else(|| malformed("shorter than a request id".into()))?;
    let event = decode(kind, payload.get(16..).unwrap_or_default())
        .map_err(malformed)?
        .ok_or(Error::Unknown { kind, version })?;
    Ok(Some((id, event)))
}

/// Whose record it is, without decoding the rest.
pub(crate) fn request_id(payload: &[u8]) -> Option<RequestId> {
    payload.first_chunk::<16>().map(|bytes| RequestId::from_bytes(*bytes))
}

#[cfg(test)]
mod tests;
