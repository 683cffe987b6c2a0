//! Errors as clients of the native API see them: RFC 9457, `application/problem+json`.

mod kind;
mod of_engine;
mod told;

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use wordhoard_engine::{ReadError, Standing};
use wordhoard_model::{Invalid, Rule};

pub(crate) use kind::ProblemKind;
pub(super) use told::{CanFail, Problems, can_fail, check_told, told_of};

/// An error. `type` is a stable URN, `detail` is for people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URN that names the kind of problem, such as `urn:wordhoard:problem:invalid-field`.
    #[serde(rename = "type", serialize_with = "as_urn")]
    #[schema(value_type = String)]
    kind: ProblemKind,
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
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
    /// How the key stands that was shown.
    #[serde(skip)]
    standing: Standing,
}

fn as_urn<S: Serializer>(kind: &ProblemKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:wordhoard:problem:{}", kind.slug()))
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
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let problem = Self {
            kind,
            title: String::new(),
            status: 0,
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            retry_after_seconds: None,
            standing: Standing::default(),
        };
        problem.with_status(kind.status())
    }

    /// With a provider's own status in the place of its kind's.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.title = status.canonical_reason().unwrap_or("Error").to_owned();
        self.status = status.as_u16();
        self
    }

    pub(super) fn starting() -> Self {
        Self::new(ProblemKind::Starting, "the server is starting").retry_after(1)
    }

    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(ProblemKind::Unauthorized, detail)
    }

    pub(super) fn no_such_request() -> Self {
        Self::new(ProblemKind::NoSuchRequest, "there is no request with this id")
    }

    fn pruned() -> Self {
        Self::new(ProblemKind::Pruned, ReadError::Pruned.to_string())
    }

    pub(super) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn kind(&self) -> ProblemKind {
        self.kind
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// What broken rules are to the caller: 400 for a text that is not acceptable, 422 for a field of a wrong shape.
    pub(super) fn invalid(broken: &[Invalid]) -> Self {
        let Some(first) = broken.first() else {
            return Self::new(ProblemKind::InvalidField, "the request is not valid");
        };
        let kind = match first.rule {
            Rule::Content => ProblemKind::InvalidContent,
            Rule::Shape => ProblemKind::InvalidField,
        };
        let mut problem =
            Self::new(kind, format!("{} {}", first.field, first.detail)).field(first.field.clone());
        if broken.len() > 1 {
            problem.errors = FieldError::all(broken);
        }
        problem
    }
}

can_fail!(Invalid: InvalidContent, InvalidField);

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
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs_f64().ceil() as u64).max(1)
}
