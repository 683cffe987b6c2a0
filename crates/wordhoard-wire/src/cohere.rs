//! The dialect of Cohere's "Chat", version 2.
//!
//! Source, where nothing else is named: <https://docs.cohere.com/reference/chat> and
//! <https://docs.cohere.com/docs/streaming>.

mod answer;
mod client_request;
mod decoder;
mod encoder;
mod event;
mod request;

pub use answer::{decode_answer, encode_answer};
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::stream_encoder;
pub use request::encode_request;

pub use crate::error_body::{classify_error, classify_error_body};

use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass, FinishReason};

/// A failure as a body for a client: `{"message": …}`, see <https://docs.cohere.com/reference/errors>.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    json!({"message": failure.message}).to_string().into_bytes()
}

/// The reason to stop in the words of the chat dialect; a failure where it is no way to complete. `error` is what is
/// told beside it. Other words are kept.
fn finish_reason(reason: &str, error: Option<&Value>) -> Result<FinishReason, Failure> {
    let failed = |what: &str| {
        let said = error.and_then(Value::as_str).map(|said| format!(": {}", crate::one_line(said, 2_000)));
        let message = format!("the provider stopped {what}{}", said.unwrap_or_default());
        Failure::new(FailureClass::StreamError, message)
    };
    Ok(FinishReason(match reason {
        "COMPLETE" | "STOP_SEQUENCE" => FinishReason::STOP.to_owned(),
        "MAX_TOKENS" => FinishReason::LENGTH.to_owned(),
        "TOOL_CALL" => "tool_calls".to_owned(),
        "ERROR" => return Err(failed("for an error of its own")),
        "TIMEOUT" => return Err(failed("because it took too long")),
        // Of version 1, whose servers still tell it.
        "ERROR_TOXIC" => return Err(crate::stream::filtered(reason)),
        other => crate::one_line(other, 64),
    }))
}

/// The counterpart of [`finish_reason`].
fn told_reason(reason: Option<&FinishReason>) -> &str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::STOP => "COMPLETE",
        FinishReason::LENGTH => "MAX_TOKENS",
        "tool_calls" => "TOOL_CALL",
        FinishReason::CONTENT_FILTER => "ERROR_TOXIC",
        other => other,
    }
}
