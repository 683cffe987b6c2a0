use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass};

/// A failure as a body for a client: `{"type": "error", "error": {"type", "message"}}`.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    error_value(failure).to_string().into_bytes()
}

/// Source of the names: <https://docs.anthropic.com/en/api/errors>.
pub(super) fn error_value(failure: &Failure) -> Value {
    let kind = match failure.class {
        FailureClass::RateLimited => "rate_limit_error",
        FailureClass::Unauthorized => "authentication_error",
        FailureClass::NotFound => "not_found_error",
        FailureClass::ContextLength | FailureClass::ContentPolicy | FailureClass::BadRequest => {
            "invalid_request_error"
        }
        FailureClass::Unsupported => "invalid_request_error",
        FailureClass::Overloaded | FailureClass::ProviderDown | FailureClass::ProviderOverloaded => {
            "overloaded_error"
        }
        FailureClass::OutOfCredit => "billing_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": failure.message}})
}
