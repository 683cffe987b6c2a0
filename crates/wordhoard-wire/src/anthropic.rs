//! The dialect of Anthropic's "Create a message".
//!
//! Source, where nothing else is named: <https://docs.anthropic.com/en/api/messages>.

use wordhoard_model::{Failure, FailureClass};

use crate::retry_hint::RetryHint;
use crate::{
    AnswerHead, Ask, CannotHonour, ClientRequest, Completion, Delta, EncodeStream, InvalidRequest, Limits,
    StreamDecoder,
};

/// Asks for an answer.
///
/// # Errors
/// A field that cannot be honoured, where such are refused.
pub fn encode_request(_ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    Err(CannotHonour { field: "dialect".into(), problem: "is not built yet".into() })
}

/// A decoder for one answer that comes as a stream.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    crate::openai_chat::stream_decoder(limits)
}

/// Decodes an answer that comes whole, and appends its pieces.
///
/// # Errors
/// As a stream of it would fail.
pub fn decode_answer(_body: &[u8], _out: &mut Vec<Delta>) -> Result<Completion, Failure> {
    Err(Failure::new(FailureClass::Internal, "not built yet"))
}

/// What an answer with an error status means.
pub fn classify_error(status: u16, hint: &RetryHint<'_>, body: &[u8]) -> Failure {
    crate::openai_chat::classify_error(status, hint, body)
}

/// The failure that a body tells which came with a status of success, or none if it is no error.
pub fn classify_error_body(body: &[u8]) -> Option<Failure> {
    crate::openai_chat::classify_error_body(body)
}

/// Reads a client's request.
///
/// # Errors
/// The field that is wrong.
pub fn decode_request(_body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    Err(InvalidRequest::body("is not built yet"))
}

/// An encoder for one answer as a stream.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    crate::openai_chat::stream_encoder(head, true)
}

/// An answer as one body.
pub fn encode_answer(head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
    crate::openai_chat::encode_answer(head, deltas, completion)
}

/// A failure as a body.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    crate::openai_chat::encode_error(failure)
}
