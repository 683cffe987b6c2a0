//! Events as records of the log, and back. The formats are those of `wordhoard-record`.
//!
//! A record is one event, or the tokens of a frame. It begins with the id of its request, so that a scan for one request need not
//! decode the others.

use std::sync::Arc;

use wordhoard_model::{Event, EventBody, RequestId, Seq, Token, TokenIndex};
pub use wordhoard_record::{Error, Next, Reader};
use wordhoard_record::{Frame, FrameHead, Kind, Piece, Place, VERSION};
use wordhoard_store::LoggedEvent;
use wordhoard_wal::Record;

pub(crate) const KIND_REQUEST_CREATED: u8 = Kind::RequestCreated as u8;
pub(crate) const KIND_REQUEST_FINISHED: u8 = Kind::RequestFinished as u8;

/// Events as the log takes them.
pub(crate) struct Encoded {
    pub(crate) kind: u8,
    pub(crate) version: u8,
    pub(crate) payload: Vec<u8>,
}

/// Encodes events that make one record: one of any kind, or tokens of one attempt that were recorded at one time, each with
/// the `seq` and the `token_index` behind those of the one before, and the provider's events, if any, with the first.
pub(crate) fn encode(id: RequestId, events: &[Event]) -> Result<Encoded, Error> {
    let mut payload = Vec::with_capacity(64);
    let kind = match events {
        [] => return Err(Error::Malformed("a record of no events".to_owned())),
        [Event { body: EventBody::Token(first), .. }, ..] => encode_frame(&mut payload, id, first, events)?,
        [event] => encode_one(&mut payload, id, event)?,
        [..] => {
            return Err(Error::Malformed("events that are no tokens are records of their own".to_owned()));
        }
    };
    Ok(Encoded { kind: kind.number(), version: VERSION, payload })
}

fn encode_frame(
    payload: &mut Vec<u8>,
    id: RequestId,
    first: &Token,
    events: &[Event],
) -> Result<Kind, Error> {
    let Some(Event { seq, at, .. }) = events.first() else { return Ok(Kind::Frame) };
    let head = FrameHead {
        attempt_seq: first.attempt_seq,
        first_token_index: first.token_index,
        first_seq: *seq,
        at: *at,
    };
    let mut pieces = Vec::with_capacity(events.len());
    for event in events {
        let EventBody::Token(token) = &event.body else {
            return Err(Error::Malformed("a frame of events that are no tokens".to_owned()));
        };
        pieces.push(Piece { kind: token.kind, choice: 0, text: &token.text });
    }
    payload.reserve(events.len() * 2 + pieces.iter().map(|piece| piece.text.len()).sum::<usize>());
    wordhoard_record::encode_frame(payload, id, head, &pieces, first.events.as_deref());
    Ok(Kind::Frame)
}

fn encode_one(payload: &mut Vec<u8>, id: RequestId, event: &Event) -> Result<Kind, Error> {
    let place = Place { id, seq: event.seq, at: event.at };
    match &event.body {
        EventBody::RequestCreated(created) => {
            wordhoard_record::encode_request_created(payload, place, created)
        }
        EventBody::AttemptStarted(started) => {
            wordhoard_record::encode_attempt_started(payload, place, started)
        }
        EventBody::AttemptFinished(finished) => {
            wordhoard_record::encode_attempt_finished(payload, place, finished)
        }
        EventBody::RequestFinished(finished) => {
            wordhoard_record::encode_request_finished(payload, place, finished)
        }
        EventBody::Token(token) => encode_frame(payload, id, token, std::slice::from_ref(event)),
    }
}

/// Decodes a record of the log; no events of a filler.
///
/// # Errors
/// Where the record is of a newer server, or damaged in a way that its checksum did not show.
pub fn decode(kind: u8, version: u8, payload: &[u8]) -> Result<Option<(RequestId, Vec<Event>)>, Error> {
    let one = |place: Place, body| {
        let event = Event { seq: place.seq, at: place.at, body };
        Ok(Some((place.id, vec![event])))
    };
    match Kind::of(kind, version)? {
        Kind::Filler => Ok(None),
        Kind::Part => Err(Error::Unknown { kind, version }),
        Kind::Frame => Ok(Some(decode_frame(&Frame::decode(payload)?))),
        Kind::RequestCreated => {
            let (place, created) = wordhoard_record::decode_request_created(payload)?;
            one(place, EventBody::RequestCreated(Arc::new(created)))
        }
        Kind::AttemptStarted => {
            let (place, started) = wordhoard_record::decode_attempt_started(payload)?;
            one(place, EventBody::AttemptStarted(Box::new(started)))
        }
        Kind::AttemptFinished => {
            let (place, finished) = wordhoard_record::decode_attempt_finished(payload)?;
            one(place, EventBody::AttemptFinished(Box::new(finished)))
        }
        Kind::RequestFinished => {
            let (place, finished) = wordhoard_record::decode_request_finished(payload)?;
            one(place, EventBody::RequestFinished(Box::new(finished)))
        }
    }
}

/// The events of a record, each with its place in the log; none of a filler.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_logged(found: &Record) -> Result<Vec<LoggedEvent>, Error> {
    let decoded = decode(found.kind, found.version, &found.payload)?;
    let position = found.position.0;
    let logged = |(request_id, events): (RequestId, Vec<Event>)| {
        events.into_iter().map(|event| LoggedEvent { position, request_id, event }).collect()
    };
    Ok(decoded.map(logged).unwrap_or_default())
}

fn decode_frame(frame: &Frame<'_>) -> (RequestId, Vec<Event>) {
    let FrameHead { attempt_seq, first_token_index, first_seq, at } = frame.head;
    let mut coded = frame.events().map(Into::into);
    let events = (0..).zip(frame.pieces()).map(|(place, piece)| {
        let (token_index, events) = (TokenIndex(first_token_index.0 + place), coded.take());
        let token = Token { attempt_seq, token_index, kind: piece.kind, text: piece.text.to_owned(), events };
        Event { seq: Seq(first_seq.0 + place), at, body: EventBody::Token(token) }
    });
    (frame.id, events.collect())
}

/// How many events a record holds, without decoding the rest; none of one that cannot be read.
pub(crate) fn event_count(kind: u8, version: u8, payload: &[u8]) -> u64 {
    match Kind::of(kind, version) {
        Ok(Kind::Filler) | Err(_) => 0,
        Ok(Kind::Frame) => Frame::decode(payload).map_or(0, |frame| frame.token_count()),
        Ok(_) => 1,
    }
}

/// Whose record it is, without decoding the rest.
pub(crate) fn request_id(payload: &[u8]) -> Option<RequestId> {
    payload.first_chunk::<16>().map(|bytes| RequestId::from_bytes(*bytes))
}

#[cfg(test)]
mod tests;
