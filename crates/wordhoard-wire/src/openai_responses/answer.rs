use serde_json::Value;
use wordhoard_model::Failure;

use super::CALL_ID_PREFIX;
use super::calls::Calls;
use super::decoder::ending;
use super::encoder::ResponseStream;
use super::event::Response;
use super::output::{is_call, item_deltas};
use crate::call_order::CallOrder;
use crate::clean_text::model_name;
use crate::ending::Seen;
use crate::error_body::classify_error_body;
use crate::{AnswerHead, Asked, Completion, Delta, EncodeStream, stream, tolerant};

/// What an answer of the call for compaction calls itself; it is always complete.
const COMPACTION: &str = "response.compaction";

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    let mut response: Response = tolerant::read_bytes(body).map_err(|error| stream::bad_event(&error))?;
    if response.object.as_deref() == Some(COMPACTION) {
        response.status = Some("completed".to_owned());
    }
    if response.status.is_none() {
        return Err(classify_error_body(body).unwrap_or_else(stream::cut));
    }
    let (before, mut calls) = (out.len(), Calls::default());
    for (place, item) in (0..).zip(&response.output) {
        match is_call(item.get("type").and_then(Value::as_str)) {
            true => calls.end(place, item, out),
            false => item_deltas(item, out),
        }
    }
    let mut seen = Seen::default();
    seen.note(&out[before..]);
    Ok(Completion {
        usage: response.usage(),
        answered_by: model_name(response.model.clone()),
        ..ending(&response, seen)?
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
    for delta in &CallOrder::all(CALL_ID_PREFIX, &head.id, deltas) {
        stream.take(&mut events, delta);
        events.clear();
    }
    stream.end(&mut events, completion).to_string().into_bytes()
}
