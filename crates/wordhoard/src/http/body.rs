//! Reading a JSON body, so that each way in which it can be wrong has its own answer.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use super::problem::Problem;

/// How much of a body that is too long is read and thrown away. A client that is cut off while it still sends may
/// never see why.
const DRAINED_BYTES: usize = 64 << 20;

/// Reads the whole body, at most `limit_bytes`, within the time limit.
pub(super) async fn read(mut body: Body, limit_bytes: usize, timeout: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(timeout, collect(&mut body, limit_bytes)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            // However that ends, the answer is the same.
            drop(tokio::time::timeout(timeout, drain(&mut body)).await);
            let detail = format!("the body is longer than {limit_bytes} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail))
        }
        Ok(Err(_)) => Err(Problem::bad_request("body-cut", "the body ended before its announced length")),
        Err(_) => {
            let detail = format!("the body did not come within {timeout:?}");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", detail))
        }
    }
}

/// The bytes of the body; none where there are more than the limit, or more are announced.
async fn collect(body: &mut Body, limit_bytes: usize) -> Result<Option<Bytes>, axum::Error> {
    if body.size_hint().lower() > limit_bytes as u64 {
        return Ok(None);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if bytes.len() + data.len() > limit_bytes {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}

async fn drain(body: &mut Body) {
    let mut drained = 0;
    while drained < DRAINED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        drained += frame.data_ref().map_or(0, Bytes::len);
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
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-an-object", detail))
        }
        Err(error) => Err(Problem::bad_request("invalid-json", format!("the body is not JSON: {error}"))),
    }
}

/// JSON only. A web page of another origin can send a form without asking first, but not this type.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the content type must be application/json, not {value:?}");
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail);
    Err(problem.field("Content-Type"))
}
