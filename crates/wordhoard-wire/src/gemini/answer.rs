use serde_json::json;
use wordhoard_model::Failure;

use super::content::{answer_parts, response_value};
use super::decoder::ContentFold;
use super::response::UsageBody;
use super::told_reason;
use crate::stream::{self, Fold};
use crate::{AnswerHead, Completion, Delta, tolerant};

/// Decodes an answer that comes whole, and appends its pieces: it is one event of a stream, with all in it.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    let mut fold = ContentFold::default();
    let response = tolerant::read_bytes(body).map_err(|error| stream::bad_event(&error))?;
    fold.take_response(response, out)?;
    fold.finish()
}

/// An answer as one body. A refusal becomes text.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    let (parts, beside) = answer_parts(head, deltas);
    let mut response = response_value(head, &parts);
    let candidate = &mut response["candidates"][0];
    candidate["finishReason"] = told_reason(completion.finish_reason.as_ref()).into();
    for (name, said) in beside {
        candidate[name] = said;
    }
    if let Some(usage) = completion.usage {
        response["usageMetadata"] = json!(UsageBody::from(usage));
    }
    response.to_string().into_bytes()
}
