//! Whose record it is, where in the request, and when: the beginning of every record of one event.

use serde::{Deserialize, Serialize};
use wordhoard_model::{RequestId, Seq, Timestamp};

use crate::Error;
use crate::bytes::{Bytes, put_number, put_signed};

/// The place of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose event.
    pub id: RequestId,
    /// Its place within the request.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Timestamp,
}

impl Place {
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        put_number(out, self.seq.0);
        put_time(out, self.id, self.at);
    }

    pub(crate) fn take(bytes: &mut Bytes<'_>) -> Result<Self, Error> {
        let id = take_id(bytes)?;
        let seq = Seq(bytes.number()?);
        let at = take_time(bytes, id)?;
        Ok(Self { id, seq, at })
    }
}

pub(crate) fn take_id(bytes: &mut Bytes<'_>) -> Result<RequestId, Error> {
    Ok(RequestId::from_bytes(bytes.take(16)?.try_into().unwrap_or_default()))
}

/// Times count from the time of the id: most take two bytes.
pub(crate) fn put_time(out: &mut Vec<u8>, id: RequestId, at: Timestamp) {
    put_signed(out, at.as_millis().wrapping_sub(id.accepted_at().as_millis()));
}

pub(crate) fn take_time(bytes: &mut Bytes<'_>, id: RequestId) -> Result<Timestamp, Error> {
    Ok(Timestamp::from_millis(id.accepted_at().as_millis().wrapping_add(bytes.signed()?)))
}

/// Appends a body as postcard has it.
pub(crate) fn put_body(out: &mut Vec<u8>, body: &impl Serialize) -> Result<(), Error> {
    let encoded = postcard::to_extend(body, std::mem::take(out));
    *out = encoded.map_err(|error| Error::malformed(error.to_string()))?;
    Ok(())
}

pub(crate) fn take_body<'a, T: Deserialize<'a>>(bytes: &mut Bytes<'a>) -> Result<T, Error> {
    let (body, rest) =
        postcard::take_from_bytes(bytes.0).map_err(|error| Error::malformed(error.to_string()))?;
    bytes.0 = rest;
    Ok(body)
}

pub(crate) fn ensure_end(bytes: Bytes<'_>) -> Result<(), Error> {
    match bytes.0.len() {
        0 => Ok(()),
        more => Err(Error::malformed(format!("{more} bytes follow the end"))),
    }
}

/// A name out of one of the model's tables, as it stands on disk.
pub(crate) fn named<T>(name: &str, from_name: fn(&str) -> Option<T>) -> Result<T, Error> {
    from_name(name).ok_or_else(|| Error::malformed(format!("{name:?} is no name that this server knows")))
}

/// A model's reference, as it stands on disk.
pub(crate) fn parsed(model: &str) -> Result<wordhoard_model::ModelRef, Error> {
    model.parse().map_err(|error| Error::malformed(format!("{error}")))
}
