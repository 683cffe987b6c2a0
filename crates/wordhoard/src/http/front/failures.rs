use axum::http::StatusCode;
use wordhoard_model::{Failure, FailureClass};

use crate::http::problem::{Problem, ProblemKind, can_fail};

can_fail!(
    Failure: ProviderRefused, UnsupportedParameter, ContextLengthExceeded, ContentFilter, Unauthorized, ModelNotFound,
    RateLimitExceeded, ProviderTimeout, ProviderOverloaded, OutOfCredit, ProviderFailed, ProviderUnavailable, Unavailable,
    Internal
);

/// What a failed answer is to a client that has got nothing of it yet. A key of ours that the provider does not accept is
/// no fault of the caller's key, so it is never a 401; that of a credential of the client's own is.
pub(super) fn problem_of(failure: &Failure) -> Problem {
    use FailureClass as Class;
    // A model that was not called after others had failed: its provider's own words and status stand for it.
    let provider_status = failure.provider_status.and_then(|status| StatusCode::from_u16(status).ok());
    let kind = match failure.class {
        Class::BadRequest => ProblemKind::ProviderRefused,
        Class::Unsupported => ProblemKind::UnsupportedParameter,
        Class::ContextLength => ProblemKind::ContextLengthExceeded,
        Class::ContentPolicy => ProblemKind::ContentFilter,
        Class::CredentialRefused => ProblemKind::Unauthorized,
        Class::NotFound => ProblemKind::ModelNotFound,
        Class::RateLimited => ProblemKind::RateLimitExceeded,
        Class::ConnectTimeout | Class::FirstTokenTimeout | Class::StallTimeout | Class::TotalTimeout => {
            ProblemKind::ProviderTimeout
        }
        Class::ProviderOverloaded => ProblemKind::ProviderOverloaded,
        Class::OutOfCredit => ProblemKind::OutOfCredit,
        Class::ProviderDown if provider_status.is_some_and(|status| status.is_server_error()) => {
            ProblemKind::ProviderFailed
        }
        Class::ProviderDown | Class::Overloaded | Class::Unavailable => ProblemKind::ProviderUnavailable,
        Class::Storage | Class::ServerStopped => ProblemKind::Unavailable,
        Class::Internal => ProblemKind::Internal,
        Class::Unauthorized
        | Class::Connect
        | Class::ProviderError
        | Class::StreamError
        | Class::Cut
        | Class::Malformed => ProblemKind::ProviderFailed,
    };
    let problem = Problem::new(kind, failure.message.as_str());
    let own_status =
        provider_status.filter(|status| kind == ProblemKind::OutOfCredit && status.is_client_error());
    let problem = match own_status {
        Some(status) => problem.with_status(status),
        None => problem,
    };
    match failure.retry_after_ms {
        Some(wait_ms) => problem.retry_after(wait_ms.div_ceil(1_000).max(1)),
        None => problem,
    }
}
