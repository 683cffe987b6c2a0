use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass};

/// A failure as a body for a client: `{"error": {"message", "type", "param", "code"}}`.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    error_value(failure).to_string().into_bytes()
}

pub(crate) fn error_value(failure: &Failure) -> Value {
    let (kind, code) = match failure.class {
        FailureClass::RateLimited => ("rate_limit_error", "rate_limit_exceeded"),
        FailureClass::OutOfCredit => ("insufficient_quota", "insufficient_quota"),
        FailureClass::ProviderOverloaded => ("server_error", "overloaded_error"),
        FailureClass::Unauthorized => ("invalid_request_error", "invalid_api_key"),
        FailureClass::NotFound => ("invalid_request_error", "model_not_found"),
        FailureClass::ContextLength => ("invalid_request_error", "context_length_exceeded"),
        FailureClass::ContentPolicy => ("invalid_request_error", "content_filter"),
        FailureClass::BadRequest => ("invalid_request_error", "bad_request"),
        other => ("server_error", other.as_str()),
    };
    json!({"error": {"message": failure.message, "type": kind, "param": null, "code": code}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_body::classify_error_body;

    #[test]
    fn an_error_for_a_client_reads_back_as_its_class() {
        for class in [
            FailureClass::RateLimited,
            FailureClass::OutOfCredit,
            FailureClass::ProviderOverloaded,
            FailureClass::ContextLength,
            FailureClass::ContentPolicy,
            FailureClass::Unauthorized,
            FailureClass::NotFound,
            FailureClass::StreamError,
        ] {
            let body = encode_error(&Failure::new(class, "why"));
            let back = classify_error_body(&body).unwrap();
            assert_eq!((back.class, back.message.as_str()), (class, "why"));
        }
        assert_eq!(classify_error_body(br#"{"error":null,"choices":[]}"#), None);
    }
}
