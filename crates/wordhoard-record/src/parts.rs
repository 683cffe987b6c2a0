//! Records that are longer than the log takes: parts, and behind them the record itself with the last of its bytes.

use wordhoard_model::RequestId;

use crate::bytes::{Bytes, put_number};
use crate::place::take_id;
use crate::{Error, Kind, VERSION};

/// The most bytes of a part.
pub const PART_BYTES: usize = 8 << 20;
/// Payloads up to this length stand in one record.
const WHOLE_BYTES: usize = 16 << 20;
/// In the version of a record that has parts before it.
const HAS_PARTS: u8 = 0x80;

/// A record as the log takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Its kind in the log.
    pub kind: u8,
    /// Its version in the log.
    pub version: u8,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The records to queue for one payload, in this order and with nothing between them; one, where it is short enough.
pub fn split(kind: Kind, payload: Vec<u8>) -> Vec<Split> {
    split_at(kind, payload, WHOLE_BYTES, PART_BYTES)
}

fn split_at(kind: Kind, payload: Vec<u8>, whole_bytes: usize, part_bytes: usize) -> Vec<Split> {
    if payload.len() <= whole_bytes {
        return vec![Split { kind: kind.number(), version: VERSION, payload }];
    }
    let (id, rest) = payload.split_at(16);
    let chunks: Vec<&[u8]> = rest.chunks(part_bytes).collect();
    let record = |kind: u8, version: u8, number: usize, bytes: &[u8]| {
        let mut payload = id.to_vec();
        put_number(&mut payload, number as u64);
        payload.extend_from_slice(bytes);
        Split { kind, version, payload }
    };
    let last = chunks.len() - 1;
    let parts = chunks[..last].iter().enumerate();
    let mut records: Vec<Split> =
        parts.map(|(number, bytes)| record(Kind::Part.number(), VERSION, number, bytes)).collect();
    records.push(record(kind.number(), VERSION | HAS_PARTS, last, chunks[last]));
    records
}

/// Joins parts with the record behind them. It holds one record in pieces at a time.
#[derive(Debug, Default)]
pub struct Joiner {
    id: Option<RequestId>,
    parts: u64,
    bytes: Vec<u8>,
}

/// What a record of the log is, once its parts are joined.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined<'a> {
    /// A part: the rest is to come.
    Incomplete,
    /// A whole record.
    Whole(Kind, &'a [u8]),
    /// A whole record that stood in parts.
    OfParts(Kind, Vec<u8>),
}

/// Parts that stood before a record which is not theirs: the process that wrote them died before the rest was durable, or the log is
/// damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many parts.
    pub parts: u64,
}

impl Joiner {
    /// Takes the next record of the log.
    ///
    /// # Errors
    /// `Unknown` and `Malformed`, also for a record whose parts are missing. What is told of lost parts beside a record is no
    /// fault of the record.
    pub fn take<'a>(
        &mut self,
        kind: u8,
        version: u8,
        payload: &'a [u8],
    ) -> (Option<Lost>, Result<Joined<'a>, Error>) {
        match self.sort(kind, version, payload) {
            Ok(Sorted::Part(id, number, bytes)) => {
                let goes_on = self.id == Some(id) && number == self.parts;
                let lost = if goes_on { None } else { self.forget() };
                if !goes_on && number != 0 {
                    return (lost, Err(Error::malformed("a part has none before it")));
                }
                self.id = Some(id);
                self.parts += 1;
                if self.bytes.is_empty() {
                    self.bytes.extend_from_slice(id.as_bytes());
                }
                self.bytes.extend_from_slice(bytes);
                (lost, Ok(Joined::Incomplete))
            }
            Ok(Sorted::Last(kind, id, parts, bytes)) if self.id == Some(id) && parts == self.parts => {
                let mut whole = std::mem::take(&mut self.bytes);
                whole.extend_from_slice(bytes);
                *self = Self::default();
                (None, Ok(Joined::OfParts(kind, whole)))
            }
            Ok(Sorted::Last(..)) => (self.forget(), Err(Error::malformed("a record's parts are missing"))),
            Ok(Sorted::Whole(kind)) => (self.forget(), Ok(Joined::Whole(kind, payload))),
            Err(error) => (self.forget(), Err(error)),
        }
    }

    /// Whether a record stands here in pieces.
    pub fn is_waiting(&self) -> bool {
        self.id.is_some()
    }

    fn forget(&mut self) -> Option<Lost> {
        let lost = std::mem::take(self);
        (lost.parts > 0).then_some(Lost { parts: lost.parts })
    }

    fn sort<'a>(&self, kind: u8, version: u8, payload: &'a [u8]) -> Result<Sorted<'a>, Error> {
        let known = Kind::of(kind, version & !HAS_PARTS)?;
        let has_parts = version & HAS_PARTS != 0;
        if known != Kind::Part && !has_parts {
            return Ok(Sorted::Whole(known));
        }
        let mut bytes = Bytes(payload);
        let id = take_id(&mut bytes)?;
        let number = bytes.number()?;
        match (known, has_parts) {
            (Kind::Part, false) => Ok(Sorted::Part(id, number, bytes.0)),
            (Kind::Part | Kind::Filler, true) => Err(Error::Unknown { kind, version }),
            _ => Ok(Sorted::Last(known, id, number, bytes.0)),
        }
    }
}

enum Sorted<'a> {
    Part(RequestId, u64, &'a [u8]),
    Last(Kind, RequestId, u64, &'a [u8]),
    Whole(Kind),
}

#[cfg(test)]
mod tests;
