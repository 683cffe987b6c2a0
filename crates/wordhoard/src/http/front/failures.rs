use axum::http::StatusCode;
use wordhoard_model::{Failure, FailureClass};

use crate::http::problem::Problem;

/// What a failed answer is to a client that has got nothing of it yet. A key of ours that the provider does not accept is
/// no fault of the caller's key, so it is never a 401; that of a credential of the client's own is.
pub(super) fn problem_of(failure: &Failure) -> Problem {
    use FailureClass as Class;
    // A model that was not called after others had failed: its provider's own words and status stand for it.
    let provider_status = failure.provider_status.and_then(|status| StatusCode::from_u16(status).ok());
    let (status, slug) = match failure.class {
        Class::BadRequest => (StatusCode::BAD_REQUEST, "provider-refused"),
        Class::Unsupported => (StatusCode::BAD_REQUEST, "unsupported-parameter"),
        Class::ContextLength => (StatusCode::BAD_REQUEST, "context-length-exceeded"),
        Class::ContentPolicy => (StatusCode::BAD_REQUEST, "content-filter"),
        Class::CredentialRefused => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Class::NotFound => (StatusCode::NOT_FOUND, "model-not-found"),
        Class::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate-limit-exceeded"),
        Class::ConnectTimeout | Class::FirstTokenTimeout | Class::StallTimeout | Class::TotalTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "provider-timeout")
        }
        Class::ProviderOverloaded => (StatusCode::SERVICE_UNAVAILABLE, "provider-overloaded"),
        Class::OutOfCredit => {
            let status = provider_status.filter(|status| status.is_client_error());
            (status.unwrap_or(StatusCode::PAYMENT_REQUIRED), "insufficient-quota")
        }
        Class::ProviderDown if provider_status.is_some_and(|status| status.is_server_error()) => {
            (StatusCode::BAD_GATEWAY, "provider-failed")
        }
        Class::ProviderDown | Class::Overloaded | Class::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "provider-unavailable")
        }
        Class::Storage | Class::ServerStopped => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Class::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        Class::Unauthorized
        | Class::Connect
        | Class::ProviderError
        | Class::StreamError
        | Class::Cut
        | Class::Malformed => (StatusCode::BAD_GATEWAY, "provider-failed"),
    };
    let problem = Problem::new(status, slug, failure.message.as_str());
    match failure.retry_after_ms {
        Some(wait_ms) => problem.retry_after(wait_ms.div_ceil(1_000).max(1)),
        None => problem,
    }
}
