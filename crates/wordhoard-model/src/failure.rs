//! Why a call to a provider failed, in classes on which retry, fallback and answers to callers depend.

use std::fmt;

use crate::name_table::name_table;

/// A failed attempt, told so that an operator and a caller can act on it. Holds no secret: whoever makes one from a
/// provider's words redacts them first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// What happened, in one sentence.
    pub message: String,
    /// The HTTP status of the provider, where there was one.
    pub provider_status: Option<u16>,
    /// How long the provider asked us to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// No connection could be made, or it broke before the answer began.
    Connect,
    /// A connection could not be made within its time limit.
    ConnectTimeout,
    /// The provider was silent for longer than the limit before its first token.
    FirstTokenTimeout,
    /// The provider was silent for longer than the limit in mid-answer.
    StallTimeout,
    /// The whole answer took longer than its limit.
    TotalTimeout,
    /// The provider refused for now (429).
    RateLimited,
    /// The provider or the model has more to do than it can (529, 503 that says so).
    ProviderOverloaded,
    /// The account at the provider has no credit left (402, or another status that says so).
    OutOfCredit,
    /// The provider failed (other 5xx).
    ProviderError,
    /// The provider did not accept our key (401, 403).
    Unauthorized,
    /// The provider does not accept the credential that the client itself has sent, or needs one and got none.
    CredentialRefused,
    /// The provider does not know the model or the route (404).
    NotFound,
    /// The provider refused the request as such (other 4xx).
    BadRequest,
    /// The prompt is longer than the model's window.
    ContextLength,
    /// The provider's filter refused the prompt or the answer.
    ContentPolicy,
    /// The provider reported an error in the middle of its stream.
    StreamError,
    /// The stream ended without saying that the answer is whole.
    Cut,
    /// The provider sent what its dialect does not allow.
    Malformed,
    /// The provider is not configured any more, or switched off.
    Unavailable,
    /// The provider has failed so often that it is not called for a while.
    ProviderDown,
    /// So many wait for the provider already that one more would wait too long.
    Overloaded,
    /// The model cannot do what the request asks for; it was not called.
    Unsupported,
    /// Our own log could not record what came.
    Storage,
    /// The server stopped or crashed under the attempt.
    ServerStopped,
    /// A fault in the server itself.
    Internal,
}

name_table!(FailureClass {
    Connect => "connect",
    ConnectTimeout => "connect_timeout",
    FirstTokenTimeout => "first_token_timeout",
    StallTimeout => "stall_timeout",
    TotalTimeout => "total_timeout",
    RateLimited => "rate_limited",
    ProviderOverloaded => "provider_overloaded",
    OutOfCredit => "out_of_credit",
    ProviderError => "provider_error",
    Unauthorized => "unauthorized",
    CredentialRefused => "credential_refused",
    NotFound => "not_found",
    BadRequest => "bad_request",
    ContextLength => "context_length",
    ContentPolicy => "content_policy",
    StreamError => "stream_error",
    Cut => "cut",
    Malformed => "malformed",
    Unavailable => "unavailable",
    ProviderDown => "provider_down",
    Overloaded => "overloaded",
    Unsupported => "unsupported",
    Storage => "storage",
    ServerStopped => "server_stopped",
    Internal => "internal",
});

impl Failure {
    /// A failure of that class, without a status of the provider.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), provider_status: None, retry_after_ms: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl std::error::Error for Failure {}
