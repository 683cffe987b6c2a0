//! What the head of an answer tells: a stream to decode, an answer that is whole, or a failure whose reason is in the
//! body.

use futures_util::{StreamExt, stream};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use tokio::time::timeout_at;
use wordhoard_model::{Failure, FailureClass};
use wordhoard_wire::Dialect;
use wordhoard_wire::retry_hint::{Reset, RetryHint};

use super::clock::Deadline;
use crate::transport::{Reply, ReplyBody};

/// How much of the body of an error is read.
pub(super) const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;
/// So much of a body that is called JSON is looked at, to know whether it is.
const SNIFFED_BYTES: usize = 16;
/// The longest answer that is taken whole: far beyond what any model says at once.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// An answer that is no failure.
pub(super) enum Head {
    /// It comes as a stream.
    Stream(ReplyBody),
    /// It came whole.
    Whole(Vec<u8>),
}

/// What the head, and the body where it is a document, tell. `whole_by` is how long a document may take.
///
/// # Errors
/// The failure that it is. Its body is read up to 64 KiB and up to the deadline.
pub(super) async fn read(
    reply: Reply,
    dialect: Dialect,
    deadline: Deadline,
    whole_by: Deadline,
) -> Result<Head, Failure> {
    let Reply { status, headers, body } = reply;
    match status {
        200..=299 if !is_document(&headers) => Ok(Head::Stream(body)),
        200..=299 => {
            let (body, first) = peek(body, whole_by).await?;
            if is_json(&headers) && is_of_stream(&first) {
                return Ok(Head::Stream(body));
            }
            let document = whole(body, &headers, whole_by).await?;
            match dialect.classify_error_body(&document) {
                None => Ok(Head::Whole(document)),
                Some(failure) => Err(Failure { provider_status: Some(status), ..failure }),
            }
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
            let (document, _) = read_start(body, deadline, MAX_ERROR_BODY_BYTES).await;
            Err(dialect.classify_error(status, &retry_hint(&headers), &document))
        }
    }
}

/// The body, and the piece of it that says what it is. It comes as it was.
async fn peek(mut body: ReplyBody, deadline: Deadline) -> Result<(ReplyBody, Vec<u8>), Failure> {
    let (mut pieces, mut start) = (Vec::new(), Vec::new());
    while start.len() < SNIFFED_BYTES {
        match timeout_at(deadline.at, body.next()).await {
            Err(_) => return Err(deadline.failure()),
            Ok(None) => break,
            Ok(Some(piece)) => {
                start.extend_from_slice(piece.as_deref().unwrap_or_default());
                let is_broken = piece.is_err();
                pieces.push(piece);
                if is_broken {
                    break;
                }
            }
        }
    }
    Ok((stream::iter(pieces).chain(body).boxed(), start))
}

/// Whether a body that is called JSON is a stream of events: some servers name theirs so.
fn is_of_stream(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| start.starts_with(field))
}

/// A document that is all there.
async fn whole(body: ReplyBody, headers: &HeaderMap, deadline: Deadline) -> Result<Vec<u8>, Failure> {
    if !is_json(headers) {
        return Err(no_stream(headers));
    }
    match read_start(body, deadline, MAX_ANSWER_BYTES).await {
        (document, Start::Whole) => Ok(document),
        (_, Start::Broken(failure)) => Err(failure),
        (_, Start::TooLong) => {
            let message = format!("the answer is longer than {MAX_ANSWER_BYTES} bytes");
            Err(Failure::new(FailureClass::Malformed, message))
        }
        (_, Start::TooLate) => Err(deadline.failure()),
    }
}

/// Whether the body is a document as a whole. What is neither JSON nor HTML is tried as a stream, for some servers
/// call theirs plain text or leave the type out.
fn is_document(headers: &HeaderMap) -> bool {
    is_json(headers) || kind(headers) == "text/html"
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = kind(headers);
    kind == "application/json" || kind.ends_with("+json")
}

fn kind(headers: &HeaderMap) -> String {
    let kind = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    kind.split(';').next().unwrap_or_default().trim().to_owned()
}

fn no_stream(headers: &HeaderMap) -> Failure {
    let kind = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    Failure::new(
        FailureClass::Malformed,
        format!("the provider answered with {kind} where a stream of events was due"),
    )
}

/// The headers that say how much of a limit is left, and when it is whole again: OpenAI's, which Groq, Together, Mistral and
/// DeepSeek use too (<https://platform.openai.com/docs/guides/rate-limits>), Anthropic's
/// (<https://docs.anthropic.com/en/api/rate-limits>), Azure's and OpenRouter's.
const RESETS: [(&str, &str); 7] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
];

pub(super) fn retry_hint(headers: &HeaderMap) -> RetryHint<'_> {
    RetryHint {
        retry_after: text(headers, RETRY_AFTER.as_str()),
        retry_after_ms: text(headers, "retry-after-ms"),
        date: text(headers, DATE.as_str()),
        resets: RESETS.map(|(left, reset)| Reset { left: text(headers, left), at: text(headers, reset) }),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// How much of a body was had.
enum Start {
    Whole,
    TooLong,
    TooLate,
    Broken(Failure),
}

/// What can be had of a body within the bounds. A reason that is cut, or came too late, is better than none.
async fn read_start(mut body: ReplyBody, deadline: Deadline, max_bytes: usize) -> (Vec<u8>, Start) {
    let mut start = Vec::new();
    loop {
        match timeout_at(deadline.at, body.next()).await {
            Ok(Some(Ok(piece))) => {
                let room = max_bytes - start.len();
                start.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.len() > room {
                    return (start, Start::TooLong);
                }
                if deadline.is_over() {
                    return (start, Start::TooLate);
                }
            }
            Ok(Some(Err(failure))) => return (start, Start::Broken(failure)),
            Ok(None) => return (start, Start::Whole),
            Err(_) => return (start, Start::TooLate),
        }
    }
}
