//! Reading a JSON body, so that each way in which it can be wrong has its own answer.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::problem::{Problem, ProblemKind, can_fail};
use crate::config::Limits;

/// How much of a body that is too long is read and thrown away. A client that is cut off while it still sends may never see
/// why.
const DRAINED_BYTES: usize = 64 << 20;
/// What a body has to bring within each window of time (SPEC FD 12).
const MIN_WINDOW_BYTES: usize = 16 << 10;
/// The bytes of all bodies that are in memory at the same time (SPEC FD 12).
const ALL_BODIES_BYTES: usize = 512 << 20;
/// The room for bodies is given in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// Reads bodies, each within its limits and all of them within one.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    limit_bytes: usize,
    /// In which time a body has to bring so much.
    window: Duration,
    /// In pieces.
    room: Arc<Semaphore>,
}

/// A complete body, and its room, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    bytes: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Deref for ReadBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body cannot be had.
enum Fault {
    TooLong,
    TooSlow,
    Cut,
    NoRoom,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Self {
        let room = Arc::new(Semaphore::new(ALL_BODIES_BYTES / PIECE_BYTES));
        Self { limit_bytes: limits.body_bytes, window: limits.header_timeout, room }
    }

    /// Reads a complete body of a request with these headers.
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<ReadBody, Problem> {
        self.read_within(self.limit_bytes, headers, body).await
    }

    /// As [`Bodies::read`], with a limit of its own.
    pub(super) async fn read_within(
        &self,
        limit_bytes: usize,
        headers: &HeaderMap,
        mut body: Body,
    ) -> Result<ReadBody, Problem> {
        check_encoding(headers)?;
        match self.collect(&mut body, limit_bytes).await {
            Ok(read) => Ok(read),
            Err(Fault::TooLong) => {
                // A client that waits for a word before it sends gets its answer instead.
                if !headers.contains_key(header::EXPECT) {
                    drop(timeout(self.window, drain(&mut body)).await);
                }
                let detail = format!("the body is longer than {limit_bytes} bytes");
                Err(Problem::new(ProblemKind::BodyTooLarge, detail))
            }
            Err(Fault::TooSlow) => {
                let detail =
                    format!("the body brought less than {MIN_WINDOW_BYTES} bytes in {:?}", self.window);
                Err(Problem::new(ProblemKind::BodyTimeout, detail))
            }
            Err(Fault::Cut) => {
                Err(Problem::new(ProblemKind::BodyCut, "the body ended before its announced length"))
            }
            Err(Fault::NoRoom) => {
                let detail = "too many large bodies are being read; try again shortly".to_owned();
                Err(Problem::new(ProblemKind::BodiesFull, detail).retry_after(1))
            }
        }
    }

    async fn collect(&self, body: &mut Body, limit_bytes: usize) -> Result<ReadBody, Fault> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit_bytes {
            return Err(Fault::TooLong);
        }
        let mut room = vec![self.take_room(announced)?];
        let mut room_bytes = announced;
        let mut bytes = BytesMut::with_capacity(announced);
        let mut window = Window::new(self.window);
        while let Some(frame) = timeout_at(window.ends_at, body.frame()).await.map_err(|_| Fault::TooSlow)? {
            let data = frame.map_err(|_| Fault::Cut)?.into_data().unwrap_or_default();
            let length = bytes.len() + data.len();
            if length > limit_bytes {
                return Err(Fault::TooLong);
            }
            if length > room_bytes {
                let more = (length - room_bytes).max(PIECE_BYTES);
                room.push(self.take_room(more)?);
                room_bytes += more;
            }
            bytes.extend_from_slice(&data);
            window.note(data.len());
        }
        Ok(ReadBody { bytes: bytes.freeze(), _room: room })
    }

    fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).map_err(|_| Fault::NoRoom)?;
        Arc::clone(&self.room).try_acquire_many_owned(pieces).map_err(|_| Fault::NoRoom)
    }
}

/// The time in which the next bytes of a body have to come.
struct Window {
    length: Duration,
    ends_at: Instant,
    bytes: usize,
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { length, ends_at: Instant::now() + length, bytes: 0 }
    }

    fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= MIN_WINDOW_BYTES {
            *self = Self::new(self.length);
        }
    }
}

async fn drain(body: &mut Body) {
    let mut drained = 0;
    while drained < DRAINED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// What a call that takes a JSON object can fail with before it has it.
pub(super) enum JsonBody {}

can_fail!(
    JsonBody: BodyTooLarge, BodyTimeout, BodyCut, BodiesFull, InvalidUtf8, InvalidJson, NotAnObject, Compressed, NotJson
);

/// The body as a JSON object.
pub(super) fn json_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    check_content_type(headers)?;
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!("the body is not UTF-8: byte {} is not valid", error.valid_up_to());
        Problem::new(ProblemKind::InvalidUtf8, detail)
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            let detail = "the body must be a JSON object";
            Err(Problem::new(ProblemKind::NotAnObject, detail))
        }
        Err(error) => Err(Problem::new(ProblemKind::InvalidJson, format!("the body is not JSON: {error}"))),
    }
}

/// A whole number from 0, also where it is written as `3.0`: to JSON Schema that is the same number.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| wordhoard_model::whole_number(value).and_then(|n| u64::try_from(n).ok()))
}

/// The body as a JSON object, of a call that needs none: no body and `null` are no fields.
pub(super) fn json_object_if_any(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if matches!(body.trim_ascii(), b"" | b"null") { Ok(Map::new()) } else { json_object(headers, body) }
}

/// As it is only: a compressed body could unfold to any size, and would be recorded in other bytes than were sent.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(()) };
    let value = value.to_str().unwrap_or_default().trim();
    if value.is_empty() || value.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    let detail = format!("the body must not be compressed, and its content encoding is {value:?}");
    let problem = Problem::new(ProblemKind::Compressed, detail);
    Err(problem.field("Content-Encoding"))
}

/// JSON only. A web page of another origin can send a form without asking first, but not this type.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the content type must be application/json, not {value:?}");
    let problem = Problem::new(ProblemKind::NotJson, detail);
    Err(problem.field("Content-Type"))
}
