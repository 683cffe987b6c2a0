//! The dialect of Google's `generateContent`, on the Gemini API and on Vertex AI.
//!
//! Source, where nothing else is named: <https://ai.google.dev/api/generate-content> and
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>. The model and whether the answer
//! comes as a stream stand in the URL.

mod answer;
mod client_content;
mod client_request;
mod content;
mod decoder;
mod encoder;
mod request;
mod response;

pub use answer::{decode_answer, encode_answer};
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::stream_encoder;
pub(crate) use request::encode_count;
pub use request::encode_request;

pub use crate::error_body::{classify_error, classify_error_body};

use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass, FinishReason};

/// A failure as a body for a client: `{"error": {"code", "message", "status"}}`.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    error_value(failure).to_string().into_bytes()
}

/// Source of the names: <https://cloud.google.com/apis/design/errors>.
fn error_value(failure: &Failure) -> Value {
    let (code, status) = match failure.class {
        FailureClass::BadRequest | FailureClass::Unsupported | FailureClass::ContextLength => {
            (400, "INVALID_ARGUMENT")
        }
        FailureClass::ContentPolicy => (400, "FAILED_PRECONDITION"),
        FailureClass::Unauthorized => (401, "UNAUTHENTICATED"),
        FailureClass::NotFound => (404, "NOT_FOUND"),
        FailureClass::RateLimited | FailureClass::OutOfCredit => (429, "RESOURCE_EXHAUSTED"),
        FailureClass::Overloaded | FailureClass::ProviderDown | FailureClass::ProviderOverloaded => {
            (503, "UNAVAILABLE")
        }
        _ => (500, "INTERNAL"),
    };
    json!({"error": {"code": code, "message": failure.message, "status": status}})
}

/// The reason to stop in the words of the chat dialect; a failure where it is no way to complete. Other words are kept.
/// Source: <https://ai.google.dev/api/generate-content#FinishReason>.
fn finish_reason(reason: &str, has_called: bool) -> Result<FinishReason, Failure> {
    Ok(FinishReason(match reason {
        // Some gateways say that a tool was called, which Google itself does not.
        "STOP" | "FUNCTION_CALL" if has_called => "tool_calls".to_owned(),
        "STOP" => FinishReason::STOP.to_owned(),
        "MAX_TOKENS" => FinishReason::LENGTH.to_owned(),
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "MODEL_ARMOR" | "IMAGE_SAFETY" => return Err(crate::stream::filtered(reason)),
        "OTHER"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => {
            let message = format!("the provider stopped for an error of its own ({reason})");
            return Err(Failure::new(FailureClass::StreamError, message));
        }
        other => crate::one_line(other, 64),
    }))
}

/// The counterpart of [`finish_reason`].
fn told_reason(reason: Option<&FinishReason>) -> &str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::STOP | "tool_calls" => "STOP",
        FinishReason::LENGTH => "MAX_TOKENS",
        FinishReason::CONTENT_FILTER => "SAFETY",
        other => other,
    }
}
