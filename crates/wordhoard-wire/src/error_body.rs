//! What providers say when they fail, in all dialects: the shapes differ little, and servers that speak one often answer
//! in another's.

use serde_json::Value;
use wordhoard_model::{Failure, FailureClass};

use crate::clean_text::one_line;
use crate::retry_hint::{RetryHint, duration_ms};

/// The longest message that is taken over, in characters. Whoever shows it may cut it further; it is generous so that
/// a redactor sees a secret whole.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// What an answer with an error status means. `body` is what was read of its body, whatever it is.
///
/// The `code` and `type` of the body refine a 400, 413 or 422 (context length, content policy); other statuses speak
/// for themselves. 408 counts as the provider's fault, as in OpenAI's own clients, which retry it like a 5xx.
/// Sources: <https://platform.openai.com/docs/guides/error-codes>, <https://docs.anthropic.com/en/api/errors>,
/// <https://ai.google.dev/gemini-api/docs/troubleshooting>, <https://docs.cohere.com/reference/errors>.
pub fn classify_error(status: u16, hint: &RetryHint<'_>, body: &[u8]) -> Failure {
    let error = ErrorBody::parse(body);
    let retry_after_ms = hint.wait_ms().or(error.retry_after_ms);
    let refined = error.refined();
    let class = match status {
        402 => FailureClass::OutOfCredit,
        400 | 403 | 429 if refined == Some(FailureClass::OutOfCredit) => FailureClass::OutOfCredit,
        529 => FailureClass::ProviderOverloaded,
        // Who says when to come back is there.
        503 if retry_after_ms.is_some() || refined == Some(FailureClass::ProviderOverloaded) => {
            FailureClass::ProviderOverloaded
        }
        401 => FailureClass::Unauthorized,
        // Google tells a key that is none by 400.
        400 if refined == Some(FailureClass::Unauthorized) => FailureClass::Unauthorized,
        // A 403 may also be a filter's.
        403 => refined.filter(is_content).unwrap_or(FailureClass::Unauthorized),
        404 => FailureClass::NotFound,
        429 => FailureClass::RateLimited,
        408 | 500..=599 => FailureClass::ProviderError,
        400 | 413 | 422 => refined.filter(is_content).unwrap_or(FailureClass::BadRequest),
        _ => FailureClass::BadRequest,
    };
    let message = match error.message.as_str() {
        "" => format!("the provider answered {status} without a reason"),
        message => message.to_owned(),
    };
    Failure { class, message, provider_status: Some(status), retry_after_ms }
}

/// The failure that a body tells which came with a status of success, or none if it is no error object.
pub fn classify_error_body(body: &[u8]) -> Option<Failure> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let value = first(&value);
    let names_it = |field: &str| value.get(field).and_then(Value::as_str) == Some("error");
    let is_error =
        value.get("error").is_some_and(|error| !error.is_null()) || names_it("object") || names_it("type");
    is_error.then(|| ErrorBody::of(value).into_stream_failure())
}

/// The failure that the value of an `error` field in mid-stream tells.
pub(crate) fn classify_stream_error(error: &Value) -> Failure {
    ErrorBody::of_error(error).into_stream_failure()
}

/// The failure that plain words in mid-stream tell.
pub(crate) fn classify_words(words: &str) -> Failure {
    classify_stream_error(&Value::from(words))
}

/// The only element of a list, as Google answers where a stream was asked for; else the value itself.
fn first(value: &Value) -> &Value {
    value.as_array().and_then(|list| list.first()).unwrap_or(value)
}

fn is_content(class: &FailureClass) -> bool {
    matches!(class, FailureClass::ContextLength | FailureClass::ContentPolicy)
}

/// What an error object says, as far as we know its shape.
struct ErrorBody {
    message: String,
    /// `code` and `type`, in lower case, and what else names the kind.
    names: [String; 5],
    /// How long the provider asks us to wait, where it says so in the body.
    retry_after_ms: Option<u64>,
}

impl ErrorBody {
    fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of(&value),
            // A proxy's page, or half a body: its words are better than none.
            Err(_) => {
                let message = one_line(&String::from_utf8_lossy(body), 300);
                Self { message, names: Default::default(), retry_after_ms: None }
            }
        }
    }

    /// From a whole body: `{"error": …}`, or vLLM's `{"object": "error", "message": …}`, or what else has a message.
    fn of(body: &Value) -> Self {
        let body = first(body);
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
        // Google's `details`, of which each has a type of its own: ErrorInfo (`reason`), RetryInfo (`retryDelay`).
        let detail = |field: &str| {
            let details = error.get("details")?.as_array()?;
            details.iter().find_map(|detail| Some(detail.get(field)?.as_str()?.to_owned()))
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
                name("status"),
                detail("reason").unwrap_or_default().to_ascii_lowercase(),
                if flagged { "content_policy_violation" } else { "" }.to_owned(),
            ],
            retry_after_ms: detail("retryDelay").as_deref().and_then(seconds_ms),
        }
    }

    /// The class that code, type or words tell; none where they tell none.
    fn refined(&self) -> Option<FailureClass> {
        let named = || self.names.iter().filter_map(|name| class_of(name));
        // vLLM, llama.cpp, Anthropic, Google and Cohere tell a prompt that is too long by their words only.
        let words = self.message.to_ascii_lowercase();
        let too_long = [
            "maximum context length",
            "context length exceeded",
            "exceeds the available context",
            "prompt is too long",
            "exceed context limit",
            "exceeds the maximum number of tokens",
            "too many tokens",
        ];
        // Anthropic tells an empty account by a bad request, others by their words too: <https://docs.anthropic.com/en/api/errors>,
        // <https://api-docs.deepseek.com/quick_start/error_codes>, <https://openrouter.ai/docs/api-reference/errors>.
        let no_credit =
            ["credit balance is too low", "insufficient balance", "insufficient credits", "out of credits"];
        let overloaded = ["overloaded", "at capacity"];
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        let no_credit = || says(&no_credit).then_some(FailureClass::OutOfCredit);
        let overloaded = || {
            let may_be = named().all(|class| class == FailureClass::ProviderError);
            (may_be && says(&overloaded)).then_some(FailureClass::ProviderOverloaded)
        };
        // That the request was bad says the least.
        no_credit()
            .or_else(overloaded)
            .or_else(|| named().find(|class| *class != FailureClass::BadRequest))
            .or_else(|| {
                too_long.iter().any(|phrase| words.contains(phrase)).then_some(FailureClass::ContextLength)
            })
            .or_else(|| named().next())
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
        "insufficient_quota"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "insufficient_credits"
        | "402" => FailureClass::OutOfCredit,
        "overloaded_error" | "model_overloaded" | "engine_overloaded" | "529" => {
            FailureClass::ProviderOverloaded
        }
        "429" | "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" | "resource_exhausted" => {
            FailureClass::RateLimited
        }
        "401"
        | "invalid_api_key"
        | "authentication_error"
        | "permission_error"
        | "unauthenticated"
        | "permission_denied"
        | "api_key_invalid" => FailureClass::Unauthorized,
        "404" | "model_not_found" | "not_found_error" | "not_found" => FailureClass::NotFound,
        "400" | "invalid_request_error" | "invalid_argument" => FailureClass::BadRequest,
        "api_error" | "timeout_error" | "unavailable" | "internal" | "deadline_exceeded" => {
            FailureClass::ProviderError
        }
        _ => return None,
    })
}

/// Milliseconds of a duration as Google writes it: `34.07s`.
fn seconds_ms(text: &str) -> Option<u64> {
    let wait_ms = duration_ms(text)?;
    (0.0..=86_400_000.0).contains(&wait_ms).then_some(wait_ms.ceil() as u64)
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
            (529, "", FailureClass::ProviderOverloaded),
            (503, "", FailureClass::ProviderError),
            (
                503,
                r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
                FailureClass::ProviderOverloaded,
            ),
            (
                429,
                r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                FailureClass::OutOfCredit,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
                FailureClass::OutOfCredit,
            ),
            (400, too_long, FailureClass::ContextLength),
            (400, vllm, FailureClass::ContextLength),
            (400, filtered, FailureClass::ContentPolicy),
            (400, plain, FailureClass::BadRequest),
            (402, plain, FailureClass::OutOfCredit),
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
    fn what_other_dialects_say_is_understood_too() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(class(529, overloaded), FailureClass::ProviderOverloaded);
        assert_eq!(
            classify_error_body(overloaded.as_bytes()).unwrap().class,
            FailureClass::ProviderOverloaded
        );
        let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"}}"#;
        assert_eq!(class(400, long), FailureClass::ContextLength);
        let key = r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"t","reason":"API_KEY_INVALID"}]}}]"#;
        assert_eq!(class(400, key), FailureClass::Unauthorized);
        let busy = r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"t","retryDelay":"34.5s"}]}}"#;
        let failure = classify_error(429, &RetryHint::default(), busy.as_bytes());
        assert_eq!((failure.class, failure.retry_after_ms), (FailureClass::RateLimited, Some(34_500)));
        assert_eq!(class(400, r#"{"message":"too many tokens: 5 > 4"}"#), FailureClass::ContextLength);
    }
}
