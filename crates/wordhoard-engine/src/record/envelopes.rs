//! What providers' events said around the tokens of a frame, until frames carry the events themselves
//! (docs/decisions/0026-frames-and-runs.md): for each token 0, or one more than the length in LEB128 and as many bytes. Of a frame
//! without any, nothing.

use wordhoard_model::Token;
use wordhoard_record::Error;

pub(super) fn encode(tokens: &[&Token]) -> Option<Vec<u8>> {
    if tokens.iter().all(|token| token.envelope.is_none()) {
        return None;
    }
    let mut out = Vec::new();
    for token in tokens {
        match &token.envelope {
            None => out.push(0),
            Some(envelope) => {
                put_length(&mut out, envelope.len() as u64 + 1);
                out.extend_from_slice(envelope.as_bytes());
            }
        }
    }
    Some(out)
}

fn put_length(out: &mut Vec<u8>, mut length: u64) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Gives the envelope of each token, in their order.
pub(super) struct Reader<'a>(Option<&'a [u8]>);

impl<'a> Reader<'a> {
    pub(super) fn new(envelopes: Option<&'a [u8]>) -> Self {
        Self(envelopes)
    }

    pub(super) fn next(&mut self) -> Result<Option<Box<str>>, Error> {
        let Some(bytes) = &mut self.0 else { return Ok(None) };
        let cut = || Error::Malformed("the envelopes of a frame end too early".to_owned());
        let (mut length, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = bytes.split_first().filter(|_| shift < 63).ok_or_else(cut)?;
            *bytes = rest;
            length |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let Some(length) = length.checked_sub(1) else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| cut())?;
        let (envelope, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        *bytes = rest;
        text(envelope).map(Some)
    }
}

pub(super) fn text(envelope: &[u8]) -> Result<Box<str>, Error> {
    let text = std::str::from_utf8(envelope).map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(text.into())
}
