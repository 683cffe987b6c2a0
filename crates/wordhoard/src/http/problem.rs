//! Errors as clients of the native API see them: RFC 9457, `application/problem+json`.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wordhoard_engine::{AdmitError, CancelError, EraseError, Exceeded, ReadError, Refusal, Standing};
use wordhoard_model::{Invalid, Rule};

/// An error. `type` is a stable URN, `detail` is for people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URN that names the kind of problem, such as `urn:wordhoard:problem:invalid-field`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this very request.
    pub(super) detail: String,
    /// The field, header or parameter at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
    /// All that is wrong, where there is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
    /// How the key stands that was shown.
    #[serde(skip)]
    standing: Standing,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field at fault.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, slug: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:wordhoard:problem:{slug}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            retry_after_seconds: None,
            standing: Standing::default(),
        }
    }

    pub(super) fn bad_request(slug: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, slug, detail)
    }

    pub(super) fn starting() -> Self {
        Self::unavailable("starting", "the server is starting".into(), 1)
    }

    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(super) fn no_such_request() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-request", "there is no request with this id")
    }

    fn pruned() -> Self {
        Self::new(StatusCode::GONE, "pruned", ReadError::Pruned.to_string())
    }

    pub(super) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The kind, without what all kinds have before it.
    pub(super) fn slug(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// What is larger than its limit can never pass, and nobody is to wait for it.
    fn over_limit(refusal: &Refusal, detail: String) -> Self {
        let slug = match refusal.exceeded {
            Exceeded::Budget { .. } => "insufficient-quota",
            Exceeded::Requests { .. } | Exceeded::Tokens { .. } | Exceeded::Concurrent { .. } => {
                "rate-limit-exceeded"
            }
        };
        let problem = match refusal.retry_after {
            Some(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, slug, detail).retry_after(whole_seconds(wait))
            }
            None => Self::bad_request("exceeds-limit-of-key", detail),
        };
        Self { standing: refusal.standing, ..problem }
    }

    pub(super) fn unavailable(slug: &str, detail: String, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, slug, detail).retry_after(retry_after_seconds)
    }

    /// What broken rules are to the caller: 400 for a text that is not acceptable, 422 for a field of a wrong shape.
    pub(super) fn invalid(broken: &[Invalid]) -> Self {
        let Some(first) = broken.first() else {
            return Self::bad_request("invalid-field", "the request is not valid");
        };
        let (status, slug) = match first.rule {
            Rule::Content => (StatusCode::BAD_REQUEST, "invalid-content"),
            Rule::Shape => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-field"),
        };
        let mut problem =
            Self::new(status, slug, format!("{} {}", first.field, first.detail)).field(first.field.clone());
        if broken.len() > 1 {
            problem.errors = FieldError::all(broken);
        }
        problem
    }
}

impl FieldError {
    pub(super) fn all(broken: &[Invalid]) -> Vec<Self> {
        let one = |invalid: &Invalid| Self { field: invalid.field.clone(), detail: invalid.detail.clone() };
        broken.iter().map(one).collect()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.standing);
        // The log line of a refused request tells what its caller was told.
        response.extensions_mut().insert(self);
        response
    }
}

/// As `Retry-After` has it: whoever comes back then is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs_f64().ceil() as u64).max(1)
}

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Self {
        let detail = error.to_string();
        match error {
            AdmitError::NotAccepting => Self::unavailable("not-accepting", detail, 5),
            AdmitError::Storage(_) => Self::unavailable("storage", detail, 5),
            AdmitError::Overloaded { retry_after, .. } => {
                Self::unavailable("overloaded", detail, whole_seconds(retry_after))
            }
            AdmitError::TooManyRunning { .. } => Self::unavailable("too-many-running", detail, 1),
            AdmitError::KeysUnavailable(_) => Self::unavailable("idempotency-unavailable", detail, 5),
            AdmitError::ModelNotAllowed { .. } => {
                Self::new(StatusCode::FORBIDDEN, "model-not-allowed", detail).field("model")
            }
            AdmitError::NoPrice { .. } => {
                Self::new(StatusCode::FORBIDDEN, "model-without-price", detail).field("model")
            }
            AdmitError::UsageUnknown => Self::unavailable("usage-unknown", detail, 2),
            AdmitError::OverLimit(refusal) => Self::over_limit(&refusal, detail),
            AdmitError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
                    .field("Idempotency-Key")
            }
            AdmitError::KeyInFlight => Self::new(StatusCode::CONFLICT, "idempotency-key-in-flight", detail)
                .field("Idempotency-Key")
                .retry_after(1),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Unavailable(_) | ReadError::Interrupted | ReadError::ServerAbsent(_) => {
                Self::unavailable("history-unavailable", detail, 2)
            }
            ReadError::Pruned => Self::pruned(),
            ReadError::Erased => Self::no_such_request(),
            ReadError::Gap { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "history-damaged", detail),
        }
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        let detail = error.to_string();
        match error {
            EraseError::NotFound => Self::no_such_request(),
            EraseError::Running => Self::new(StatusCode::CONFLICT, "request-running", detail),
            EraseError::Unavailable(_) => Self::unavailable("history-unavailable", detail, 2),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => Self::no_such_request(),
            CancelError::Pruned => Self::pruned(),
            CancelError::RunsElsewhere(_) => {
                Self::new(StatusCode::CONFLICT, "runs-elsewhere", error.to_string())
            }
            CancelError::StillRunning | CancelError::Unavailable(_) => {
                Self::unavailable("cancel-unfinished", error.to_string(), 1)
            }
        }
    }
}
