use wordhoard_model::Failure;

use super::decoder::finish_reason;
use super::encoder::ResponseStream;
use super::event::{Response, UsageBody};
use super::output::item_deltas;
use crate::clean_text::model_name;
use crate::error_body::classify_error_body;
use crate::{AnswerHead, Asked, Completion, Delta, EncodeStream, stream};

/// What an answer of the call for compaction calls itself; it is always complete.
const COMPACTION: &str = "response.compaction";

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    let mut response: Response = serde_json::from_slice(body).map_err(|error| stream::bad_event(&error))?;
    if response.object.as_deref() == Some(COMPACTION) {
        response.status = Some("completed".to_owned());
    }
    if response.status.is_none() {
        return Err(classify_error_body(body).unwrap_or_else(stream::cut));
    }
    let mut calls = 0;
    response.output.iter().for_each(|item| item_deltas(item, &mut calls, out));
    Ok(Completion {
        finish_reason: Some(finish_reason(&response, calls > 0)?),
        usage: response.usage.and_then(UsageBody::to_usage),
        answered_by: model_name(response.model),
        envelope: None,
    })
}

/// An answer as one body: what the last event of a stream of it holds.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    encode_answer_for(head, Asked::default(), None, deltas, completion)
}

/// As [`encode_answer`], for the answer to a request; it says when it ended, in seconds since 1970.
pub fn encode_answer_for(
    head: &AnswerHead,
    asked: Asked,
    completed_at_s: Option<u64>,
    deltas: &[Delta],
    completion: &Completion,
) -> Vec<u8> {
    let mut stream = ResponseStream::new(head.clone(), asked);
    completed_at_s.into_iter().for_each(|at_s| stream.ended(at_s));
    let mut events = bytes::BytesMut::new();
    for delta in deltas {
        stream.take(&mut events, delta);
        events.clear();
    }
    stream.end(&mut events, completion).to_string().into_bytes()
}
