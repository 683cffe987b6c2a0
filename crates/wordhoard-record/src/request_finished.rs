use serde::{Deserialize, Serialize};
use wordhoard_model::{Cost, Outcome, RequestFinished};

use crate::bytes::Bytes;
use crate::place::{Place, ensure_end, named, put_body, take_body};
use crate::usage::UsageBody;
use crate::{Error, Kind};

#[derive(Serialize, Deserialize)]
struct Body {
    outcome: String,
    lanes_completed: u32,
    attempt_count: u32,
    token_count: u64,
    usage: Option<UsageBody>,
    failed_usage: Option<UsageBody>,
    cost_nano_usd: Option<u64>,
}

/// Appends the payload of the end of a request.
///
/// # Errors
/// None that its fields can bring about.
pub fn encode_request_finished(
    out: &mut Vec<u8>,
    place: Place,
    finished: &RequestFinished,
) -> Result<Kind, Error> {
    place.put(out);
    let body = Body {
        outcome: finished.outcome.as_str().to_owned(),
        lanes_completed: finished.lanes_completed,
        attempt_count: finished.attempt_count,
        token_count: finished.token_count,
        usage: finished.usage.map(UsageBody::of),
        failed_usage: finished.failed_usage.map(UsageBody::of),
        cost_nano_usd: finished.cost.map(Cost::nano_usd),
    };
    put_body(out, &body)?;
    Ok(Kind::RequestFinished)
}

/// Reads the payload of the end of a request.
///
/// # Errors
/// `Malformed` where it is none.
pub fn decode_request_finished(payload: &[u8]) -> Result<(Place, RequestFinished), Error> {
    let mut bytes = Bytes(payload);
    let place = Place::take(&mut bytes)?;
    let body: Body = take_body(&mut bytes)?;
    ensure_end(bytes)?;
    let finished = RequestFinished {
        outcome: named(&body.outcome, Outcome::from_name)?,
        lanes_completed: body.lanes_completed,
        attempt_count: body.attempt_count,
        token_count: body.token_count,
        usage: body.usage.map(UsageBody::into_model).transpose()?,
        failed_usage: body.failed_usage.map(UsageBody::into_model).transpose()?,
        cost: body.cost_nano_usd.map(Cost::from_nano_usd),
    };
    Ok((place, finished))
}
