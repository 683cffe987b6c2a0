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

/// What the id of a call begins with where we make it.
const CALL_ID_PREFIX: &str = "call_";

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

/// The reason to stop, in the words of this dialect.
fn told_reason(reason: Option<&FinishReason>) -> &'static str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::LENGTH => "MAX_TOKENS",
        FinishReason::CONTENT_FILTER => "SAFETY",
        _ => "STOP",
    }
}
