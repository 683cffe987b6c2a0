use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::problem::Problem;

/// Whose shape the errors of a path have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
}

/// Source: <https://docs.anthropic.com/en/api/errors>.
const OVERLOADED: u16 = 529;

/// Tells errors of the drop-in APIs in the shape of their dialects, wherever they come from.
pub(in crate::http) async fn speak_dialect(request: Request, next: Next) -> Response {
    let Some(shape) = shape_of(&request) else { return next.run(request).await };
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    // These APIs know no 422, and Anthropic's has a status of its own for a provider that has too much to do.
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    } else if (shape, problem.slug()) == (Shape::Anthropic, "provider-overloaded")
        && let Ok(status) = StatusCode::from_u16(OVERLOADED)
    {
        *response.status_mut() = status;
    }
    let told = match shape {
        Shape::OpenAi => openai(&problem),
        Shape::Anthropic => anthropic(&problem),
    };
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(told.to_string());
    response
}

fn shape_of(request: &Request) -> Option<Shape> {
    let path = request.uri().path();
    if !path.starts_with("/v1/") {
        return None;
    }
    Some(if is_anthropic(request) { Shape::Anthropic } else { Shape::OpenAi })
}

/// Whether it is a client of Anthropic's API that calls.
pub(in crate::http) fn is_anthropic(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/v1/messages")
        || path.starts_with("/v1/") && request.headers().contains_key("anthropic-version")
}

/// Source: <https://platform.openai.com/docs/guides/error-codes>.
fn openai(problem: &Problem) -> Value {
    let kind = match problem.status() {
        _ if problem.slug() == "insufficient-quota" => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    let code = match problem.slug() {
        "unauthorized" => "invalid_api_key".to_owned(),
        "provider-overloaded" => "overloaded_error".to_owned(),
        slug => slug.replace('-', "_"),
    };
    json!({"error": {"message": problem.detail, "type": kind, "param": problem.field, "code": code}})
}

/// Source: <https://docs.anthropic.com/en/api/errors>.
fn anthropic(problem: &Problem) -> Value {
    let kind = match problem.status() {
        _ if problem.slug() == "insufficient-quota" => "billing_error",
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
