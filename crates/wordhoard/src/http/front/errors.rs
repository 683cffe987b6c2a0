use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::problem::{Problem, ProblemKind};

/// Whose shape the errors of a path have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Shape {
    OpenAi,
    Anthropic,
}

impl Shape {
    /// That of a path, whoever calls it; none where its errors are those of the native API.
    pub(in crate::http) fn of_path(path: &str) -> Option<Self> {
        if path.starts_with("/v1/messages") {
            return Some(Self::Anthropic);
        }
        path.starts_with("/v1/").then_some(Self::OpenAi)
    }

    /// These APIs know no 422, and Anthropic's has a status of its own for a provider that has too much to do.
    pub(super) fn status_of(self, kind: ProblemKind, status: StatusCode) -> StatusCode {
        match (self, kind) {
            (Self::Anthropic, ProblemKind::ProviderOverloaded) => {
                StatusCode::from_u16(OVERLOADED).unwrap_or(status)
            }
            _ if status == StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            _ => status,
        }
    }
}

/// Source: <https://docs.anthropic.com/en/api/errors>.
const OVERLOADED: u16 = 529;

/// Tells errors of the drop-in APIs in the shape of their dialects, wherever they come from.
pub(in crate::http) fn speak_dialect(shape: Option<Shape>, mut response: Response) -> Response {
    let Some(shape) = shape else { return response };
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    *response.status_mut() = shape.status_of(problem.kind(), response.status());
    let told = match shape {
        Shape::OpenAi => openai(&problem),
        Shape::Anthropic => anthropic(&problem),
    };
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(told.to_string());
    response
}

/// The shape that whoever sent a request understands.
pub(in crate::http) fn shape_of(request: &Request) -> Option<Shape> {
    let shape = Shape::of_path(request.uri().path())?;
    Some(if request.headers().contains_key("anthropic-version") { Shape::Anthropic } else { shape })
}

/// Source: <https://platform.openai.com/docs/guides/error-codes>.
fn openai(problem: &Problem) -> Value {
    let kind = match problem.status() {
        _ if is_out_of_money(problem) => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    let code = match problem.kind() {
        ProblemKind::Unauthorized => "invalid_api_key".to_owned(),
        ProblemKind::ProviderOverloaded => "overloaded_error".to_owned(),
        kind => kind.slug().replace('-', "_"),
    };
    json!({"error": {"message": problem.detail, "type": kind, "param": problem.field, "code": code}})
}

/// Source: <https://docs.anthropic.com/en/api/errors>.
fn anthropic(problem: &Problem) -> Value {
    let kind = match problem.status() {
        _ if is_out_of_money(problem) => "billing_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": problem.detail}})
}

fn is_out_of_money(problem: &Problem) -> bool {
    matches!(problem.kind(), ProblemKind::BudgetUsed | ProblemKind::OutOfCredit)
}
