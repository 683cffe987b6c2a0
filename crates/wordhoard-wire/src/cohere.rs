//! The dialect of Cohere's "Chat", version 2.
//!
//! Source, where nothing else is named: <https://docs.cohere.com/reference/chat> and
//! <https://docs.cohere.com/docs/streaming>.

mod answer;
mod client_request;
mod decoder;
mod encoder;
mod event;
mod plain_delta;
mod request;

pub use answer::{decode_answer, encode_answer};
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::stream_encoder;
pub use request::encode_request;

pub use crate::error_body::{classify_error, classify_error_body};

use serde_json::{Value, json};
use wordhoard_model::{Failure, FinishReason};

use crate::Completion;
use crate::ending::Seen;

/// What the id of a call begins with where we make it.
const CALL_ID_PREFIX: &str = "call_";

/// A failure as a body for a client: `{"message": …}`, see <https://docs.cohere.com/reference/errors>.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    json!({"message": failure.message}).to_string().into_bytes()
}

/// The end of an answer, as it is told; `error` is what is told beside it.
///
/// # Errors
/// Where it is no way to complete.
fn ending(told: &str, error: Option<&Value>, seen: Seen) -> Result<Completion, Failure> {
    let said = error.and_then(Value::as_str).map(|said| format!(": {}", crate::one_line(said, 2_000)));
    Completion::told(told, seen).map_err(|failure| Failure {
        message: format!("{}{}", failure.message, said.unwrap_or_default()),
        ..failure
    })
}

/// The reason to stop, in the words of this dialect. The one of a filter is of version 1.
fn told_reason(reason: Option<&FinishReason>) -> &'static str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::LENGTH => "MAX_TOKENS",
        FinishReason::TOOL_CALLS => "TOOL_CALL",
        FinishReason::CONTENT_FILTER => "ERROR_TOXIC",
        _ => "COMPLETE",
    }
}
