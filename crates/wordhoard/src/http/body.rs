//! Reading a JSON body, so that each way in which it can be wrong has its own answer.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::problem::Problem;

/// Reads the whole body, at most `limit_bytes`, within the time limit.
pub(super) async fn read(body: Body, limit_bytes: usize, timeout: Duration) -> Result<Bytes, Problem> {
    let limited = Limited::new(body, limit_bytes);
    match tokio::time::timeout(timeout, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let detail = format!("the body is longer than {limit_bytes} bytes");
            Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                detail,
            ))
        }
        Ok(Err(_)) => Err(Problem::bad_request(
            "body-cut",
            "the body ended before its announced length",
        )),
        Err(_) => {
            let detail = format!("the body did not come within {timeout:?}");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", detail))
        }
    }
}

/// The body as a JSON object.
pub(super) fn json_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    check_content_type(headers)?;
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!("the body is not UTF-8: byte {} is not valid", error.valid_up_to());
        Problem::bad_request("invalid-utf8", detail)
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            let detail = "the body must be a JSON object";
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not-an-object",
                detail,
            ))
        }
        Err(error) => Err(Problem::bad_request(
            "invalid-json",
            format!("the body is not JSON: {error}"),
        )),
    }
}

/// JSON only. A web page of another origin can send a form without asking first, but not this type.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the content type must be application/json, not {value:?}");
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail);
    Err(problem.field("Content-Type"))
}
