//! What the head of an answer tells: a stream to decode, or a failure whose reason is in the body.

use futures_util::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use tokio::time::timeout_at;
use wordhoard_model::{Failure, FailureClass};
use wordhoard_wire::openai_chat;
use wordhoard_wire::retry_hint::RetryHint;

use super::clock::Deadline;
use crate::transport::{Reply, ReplyBody};

/// How much of the body of an error is read.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// The body of an answer that is a stream.
///
/// # Errors
/// The failure that any other answer tells. Its body is read up to 64 KiB and up to the deadline.
pub(super) async fn stream_of(reply: Reply, deadline: Deadline) -> Result<ReplyBody, Failure> {
    let Reply { status, headers, body } = reply;
    match status {
        200..=299 if !is_document(&headers) => Ok(body),
        200..=299 => {
            let document = read_start(body, deadline).await;
            let mut failure =
                openai_chat::classify_error_body(&document).unwrap_or_else(|| no_stream(&headers));
            failure.provider_status = Some(status);
            Err(failure)
        }
        300..=399 => Err(Failure {
            provider_status: Some(status),
            ..Failure::new(
                FailureClass::BadRequest,
                format!(
                    "the provider answered with a redirect ({status}), which is not followed: check base_url"
                ),
            )
        }),
        _ => {
            let document = read_start(body, deadline).await;
            Err(openai_chat::classify_error(status, &retry_hint(&headers), &document))
        }
    }
}

/// Whether the body is a document as a whole. What is neither JSON nor HTML is tried as a stream, for some servers
/// call theirs plain text or leave the type out.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json") || kind == "text/html"
}

fn no_stream(headers: &HeaderMap) -> Failure {
    let kind = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    Failure::new(
        FailureClass::Malformed,
        format!("the provider answered with {kind} where a stream of events was due"),
    )
}

fn retry_hint(headers: &HeaderMap) -> RetryHint<'_> {
    RetryHint {
        retry_after: text(headers, RETRY_AFTER.as_str()),
        retry_after_ms: text(headers, "retry-after-ms"),
        date: text(headers, DATE.as_str()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What can be had of a body within the bounds. A reason that is cut, or came too late, is better than none.
async fn read_start(mut body: ReplyBody, deadline: Deadline) -> Vec<u8> {
    let mut start = Vec::new();
    while let Ok(Some(Ok(piece))) = timeout_at(deadline.at, body.next()).await {
        let room = MAX_ERROR_BODY_BYTES - start.len();
        start.extend_from_slice(&piece[..piece.len().min(room)]);
        if start.len() == MAX_ERROR_BODY_BYTES || deadline.is_over() {
            break;
        }
    }
    start
}
