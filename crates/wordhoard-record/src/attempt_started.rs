use serde::{Deserialize, Serialize};
use wordhoard_model::{AttemptSeq, AttemptStarted, Continues, Lane, TokenIndex};

use crate::bytes::Bytes;
use crate::place::{Place, ensure_end, parsed, put_body, take_body};
use crate::{Error, Kind};

#[derive(Serialize, Deserialize)]
struct Body {
    attempt_seq: u32,
    lane: u8,
    /// `provider:model`.
    model: String,
    /// Attempt and token index.
    continues: Option<(u32, u64)>,
}

/// Appends the payload of a call that begins.
///
/// # Errors
/// None that its fields can bring about.
pub fn encode_attempt_started(
    out: &mut Vec<u8>,
    place: Place,
    started: &AttemptStarted,
) -> Result<Kind, Error> {
    place.put(out);
    let body = Body {
        attempt_seq: started.attempt_seq.0,
        lane: started.lane.0,
        model: started.model.to_string(),
        continues: started.continues.map(|from| (from.attempt_seq.0, from.token_index.0)),
    };
    put_body(out, &body)?;
    Ok(Kind::AttemptStarted)
}

/// Reads the payload of a call that begins.
///
/// # Errors
/// `Malformed` where it is none.
pub fn decode_attempt_started(payload: &[u8]) -> Result<(Place, AttemptStarted), Error> {
    let mut bytes = Bytes(payload);
    let place = Place::take(&mut bytes)?;
    let Body { attempt_seq, lane, model, continues } = take_body(&mut bytes)?;
    ensure_end(bytes)?;
    let continues = continues.map(|(attempt, token)| Continues {
        attempt_seq: AttemptSeq(attempt),
        token_index: TokenIndex(token),
    });
    let attempt_seq = AttemptSeq(attempt_seq);
    Ok((place, AttemptStarted { attempt_seq, lane: Lane(lane), model: parsed(&model)?, continues }))
}
