use serde::{Deserialize, Serialize};
use wordhoard_model::{
    AttemptFinished, AttemptSeq, Cost, Failure, FailureClass, FinishReason, Outcome, Rest,
};

use crate::bytes::Bytes;
use crate::place::{Place, named, put_body, take_body};
use crate::usage::UsageBody;
use crate::{Error, Kind};

#[derive(Serialize, Deserialize)]
struct Body {
    attempt_seq: u32,
    outcome: String,
    finish_reason: Option<String>,
    provider_finish_reason: Option<String>,
    usage: Option<UsageBody>,
    cost_nano_usd: Option<u64>,
    token_count: u64,
    answered_by: Option<String>,
    failure: Option<FailureBody>,
    rest: RestKind,
}

#[derive(Serialize, Deserialize)]
struct FailureBody {
    class: String,
    message: String,
    provider_status: Option<u16>,
    retry_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum RestKind {
    Nothing,
    Events,
    Document,
}

/// Appends the payload of a call that ended.
///
/// # Errors
/// None that its fields can bring about.
pub fn encode_attempt_finished(
    out: &mut Vec<u8>,
    place: Place,
    finished: &AttemptFinished,
) -> Result<Kind, Error> {
    place.put(out);
    let failure = finished.failure.as_ref().map(|failure| FailureBody {
        class: failure.class.as_str().to_owned(),
        message: failure.message.clone(),
        provider_status: failure.provider_status,
        retry_after_ms: failure.retry_after_ms,
    });
    let (kind, bytes): (_, &[u8]) = match &finished.rest {
        Rest::Nothing => (RestKind::Nothing, &[]),
        Rest::Events(events) => (RestKind::Events, events),
        Rest::Document(document) => (RestKind::Document, document.as_bytes()),
    };
    let body = Body {
        attempt_seq: finished.attempt_seq.0,
        outcome: finished.outcome.as_str().to_owned(),
        finish_reason: finished.finish_reason.as_ref().map(|reason| reason.0.clone()),
        provider_finish_reason: finished.provider_finish_reason.clone(),
        usage: finished.usage.map(UsageBody::of),
        cost_nano_usd: finished.cost.map(Cost::nano_usd),
        token_count: finished.token_count,
        answered_by: finished.answered_by.clone(),
        failure,
        rest: kind,
    };
    put_body(out, &body)?;
    out.extend_from_slice(bytes);
    Ok(Kind::AttemptFinished)
}

/// Reads the payload of a call that ended.
///
/// # Errors
/// `Malformed` where it is none.
pub fn decode_attempt_finished(payload: &[u8]) -> Result<(Place, AttemptFinished), Error> {
    let mut bytes = Bytes(payload);
    let place = Place::take(&mut bytes)?;
    let body: Body = take_body(&mut bytes)?;
    let rest = match body.rest {
        RestKind::Nothing if !bytes.is_empty() => return Err(Error::malformed("bytes follow the end")),
        RestKind::Nothing => Rest::Nothing,
        RestKind::Events => Rest::Events(bytes.0.into()),
        RestKind::Document => {
            let length = bytes.0.len();
            Rest::Document(bytes.text(length)?.into())
        }
    };
    let failure = |failure: FailureBody| {
        Ok(Failure {
            class: named(&failure.class, FailureClass::from_name)?,
            message: failure.message,
            provider_status: failure.provider_status,
            retry_after_ms: failure.retry_after_ms,
        })
    };
    let finished = AttemptFinished {
        attempt_seq: AttemptSeq(body.attempt_seq),
        outcome: named(&body.outcome, Outcome::from_name)?,
        finish_reason: body.finish_reason.map(FinishReason),
        provider_finish_reason: body.provider_finish_reason,
        usage: body.usage.map(UsageBody::into_model).transpose()?,
        cost: body.cost_nano_usd.map(Cost::from_nano_usd),
        token_count: body.token_count,
        answered_by: body.answered_by,
        failure: body.failure.map(failure).transpose()?,
        rest,
    };
    Ok((place, finished))
}
