//! Errors in the dialect: a provider's become failures of a class, ours become bodies for a client.

use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass};

use crate::clean_text::one_line;
use crate::retry_hint::RetryHint;

/// The longest message that is taken over, in characters. Whoever shows it may cut it further; it is generous so that
/// a redactor sees a secret whole.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// What an answer with an error status means. `body` is what was read of its body, whatever it is.
///
/// The `code` and `type` of the body refine a 400, 413 or 422 (context length, content policy); other statuses speak
/// for themselves. 408 counts as the provider's fault, as in OpenAI's own clients, which retry it like a 5xx.
/// Source: <https://platform.openai.com/docs/guides/error-codes>.
pub fn classify_error(status: u16, hint: &RetryHint<'_>, body: &[u8]) -> Failure {
    let error = ErrorBody::parse(body);
    let class = match status {
        401 => FailureClass::Unauthorized,
        // A 403 may also be a filter's.
        403 => error.refined().filter(is_content).unwrap_or(FailureClass::Unauthorized),
        404 => FailureClass::NotFound,
        429 => FailureClass::RateLimited,
        408 | 500..=599 => FailureClass::ProviderError,
        400 | 413 | 422 => error.refined().filter(is_content).unwrap_or(FailureClass::BadRequest),
        _ => FailureClass::BadRequest,
    };
    let message = match error.message.as_str() {
        "" => format!("the provider answered {status} without a reason"),
        message => message.to_owned(),
    };
    Failure { class, message, provider_status: Some(status), retry_after_ms: hint.wait_ms() }
}

/// The failure that a body tells which came with a status of success, or none if it is no error object.
pub fn classify_error_body(body: &[u8]) -> Option<Failure> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let is_error = value.get("error").is_some_and(|error| !error.is_null())
        || value.get("object").and_then(Value::as_str) == Some("error");
    is_error.then(|| ErrorBody::of(&value).into_stream_failure())
}

/// The failure that the value of an `error` field in mid-stream tells.
pub(super) fn classify_stream_error(error: &Value) -> Failure {
    ErrorBody::of_error(error).into_stream_failure()
}

/// A failure as a body for a client: `{"error": {"message", "type", "param", "code"}}`.
pub fn encode_error(failure: &Failure) -> Vec<u8> {
    error_value(failure).to_string().into_bytes()
}

pub(super) fn error_value(failure: &Failure) -> Value {
    let (kind, code) = match failure.class {
        FailureClass::RateLimited => ("rate_limit_error", "rate_limit_exceeded"),
        FailureClass::Unauthorized => ("invalid_request_error", "invalid_api_key"),
        FailureClass::NotFound => ("invalid_request_error", "model_not_found"),
        FailureClass::ContextLength => ("invalid_request_error", "context_length_exceeded"),
        FailureClass::ContentPolicy => ("invalid_request_error", "content_filter"),
        FailureClass::BadRequest => ("invalid_request_error", "bad_request"),
        other => ("server_error", other.as_str()),
    };
    json!({"error": {"message": failure.message, "type": kind, "param": null, "code": code}})
}

fn is_content(class: &FailureClass) -> bool {
    matches!(class, FailureClass::ContextLength | FailureClass::ContentPolicy)
}

/// What an error object says, as far as we know its shape.
struct ErrorBody {
    message: String,
    /// `code` and `type`, in lower case, and what else names the kind.
    names: [String; 3],
}

impl ErrorBody {
    fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of(&value),
            // A proxy's page, or half a body: its words are better than none.
            Err(_) => {
                Self { message: one_line(&String::from_utf8_lossy(body), 300), names: Default::default() }
            }
        }
    }

    /// From a whole body: `{"error": …}`, or vLLM's `{"object": "error", "message": …}`, or what else has a message.
    fn of(body: &Value) -> Self {
        match body.get("error") {
            Some(error) if !error.is_null() => Self::of_error(error),
            _ => Self::of_error(body),
        }
    }

    fn of_error(error: &Value) -> Self {
        let name = |field: &str| match error.get(field) {
            Some(Value::String(text)) => text.to_ascii_lowercase(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        // OpenRouter tells a flagged prompt by 403 and this field: see its page on errors, "Moderation errors".
        let flagged = error.pointer("/metadata/flagged_input").is_some();
        let message = match error {
            Value::String(text) => text.as_str(),
            _ => ["message", "detail", "error_description", "msg"]
                .iter()
                .find_map(|field| error.get(field)?.as_str())
                .unwrap_or_default(),
        };
        Self {
            message: one_line(message, MAX_MESSAGE_CHARS),
            names: [
                name("code"),
                name("type"),
                if flagged { "content_policy_violation" } else { "" }.to_owned(),
            ],
        }
    }

    /// The class that code, type or words tell; none where they tell none.
    fn refined(&self) -> Option<FailureClass> {
        let named = self.names.iter().find_map(|name| class_of(name));
        // vLLM and llama.cpp tell a prompt that is too long by their words only.
        let words = self.message.to_ascii_lowercase();
        let too_long = ["maximum context length", "context length exceeded", "exceeds the available context"];
        named
            .filter(|class| *class != FailureClass::BadRequest)
            .or_else(|| {
                too_long.iter().any(|phrase| words.contains(phrase)).then_some(FailureClass::ContextLength)
            })
            .or(named)
    }

    fn into_stream_failure(self) -> Failure {
        let class = match self.refined() {
            // "Bad request" after the answer began says less than that the stream failed.
            None | Some(FailureClass::BadRequest) => FailureClass::StreamError,
            Some(class) => class,
        };
        let message = match self.message.as_str() {
            "" => "the provider reported an error without a reason".to_owned(),
            message => message.to_owned(),
        };
        Failure::new(class, message)
    }
}

/// The class that a `code` or `type` names. Sources: <https://platform.openai.com/docs/guides/error-codes>;
/// numbers are those of OpenRouter, <https://openrouter.ai/docs/api/reference/errors-and-debugging>;
/// `content_filter` is Azure's.
fn class_of(name: &str) -> Option<FailureClass> {
    Some(match name {
        "context_length_exceeded" | "string_above_max_length" => FailureClass::ContextLength,
        "content_filter" | "content_policy_violation" | "moderation_blocked" => FailureClass::ContentPolicy,
        "429" | "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" | "requests" | "tokens" => {
            FailureClass::RateLimited
        }
        "401" | "invalid_api_key" | "authentication_error" => FailureClass::Unauthorized,
        "404" | "model_not_found" | "not_found_error" => FailureClass::NotFound,
        "400" | "invalid_request_error" => FailureClass::BadRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> FailureClass {
        classify_error(status, &RetryHint::default(), body.as_bytes()).class
    }

    #[test]
    fn status_and_code_decide_the_class() {
        let too_long = r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
        let filtered = r#"{"error":{"message":"m","type":null,"param":"prompt","code":"content_filter"}}"#;
        let vllm = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#;
        let flagged =
            r#"{"error":{"code":403,"message":"m","metadata":{"reasons":["x"],"flagged_input":"y"}}}"#;
        let plain = r#"{"error":{"message":"m","type":"invalid_request_error","code":"unknown_parameter"}}"#;
        for (status, body, expected) in [
            (401, plain, FailureClass::Unauthorized),
            (403, plain, FailureClass::Unauthorized),
            (403, flagged, FailureClass::ContentPolicy),
            (404, plain, FailureClass::NotFound),
            (429, plain, FailureClass::RateLimited),
            (429, too_long, FailureClass::RateLimited),
            (500, "<html>oops</html>", FailureClass::ProviderError),
            (529, "", FailureClass::ProviderError),
            (400, too_long, FailureClass::ContextLength),
            (400, vllm, FailureClass::ContextLength),
            (400, filtered, FailureClass::ContentPolicy),
            (400, plain, FailureClass::BadRequest),
            (402, plain, FailureClass::BadRequest),
            (422, r#"{"detail":"x"}"#, FailureClass::BadRequest),
        ] {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_message_is_one_clean_line_and_never_empty() {
        let message = |body: &str| classify_error(400, &RetryHint::default(), body.as_bytes()).message;
        assert_eq!(message(r#"{"error":{"message":"a\n\u0000 b"}}"#), "a b");
        assert_eq!(message(r#"{"error":"plain words"}"#), "plain words");
        assert_eq!(message(r#"{"detail":"d"}"#), "d");
        assert_eq!(message("<html>\n502"), "<html> 502");
        assert_eq!(message(""), "the provider answered 400 without a reason");
        let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(10_000));
        assert_eq!(message(&long).len(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn an_error_for_a_client_reads_back_as_its_class() {
        for class in [
            FailureClass::RateLimited,
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
