use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use utoipa::ToSchema;
use wordhoard_engine::metrics::Inside;
use wordhoard_engine::{ReadError, Subscribed, Subscription};
use wordhoard_model::{Event, Lane, MAX_LANES, RequestId, Seq};
use wordhoard_wire::{native, sse};

use super::Surface;
use super::problem::{Problem, ProblemKind, Problems, can_fail};
use super::query::{self, Query, invalid};
use super::request_path::RequestPath;
use super::server_view::server_view;
use super::silence::Silence;

/// How long a stream that is broken off has for what was written last.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long a client shall wait before it comes back; it stands in the first event.
const RETRY_MS: u32 = 1_000;

/// An event of a stream, as <https://html.spec.whatwg.org/multipage/server-sent-events.html> has it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the document of the API is made of it; events are written by the dialects' encoders"
)]
pub(super) struct StreamedEvent {
    /// Its place in the stream, in the native API.
    id: Option<String>,
    /// What it is, where its dialect names events so.
    event: Option<String>,
    /// What it says: JSON, or `[DONE]`.
    data: String,
}

/// Follow a request as Server-Sent Events.
///
/// All lanes interleaved in the order of `seq`, from the first event or from behind the cursor, while it runs and
/// for as long as it is kept. `Last-Event-ID` wins over `starting_after`.
#[utoipa::path(
    get,
    path = "/api/llm/stream/{request_id}",
    tag = "requests",
    params(
        ("request_id" = String, Path, description = "As the prompt's answer gave it"),
        ("starting_after" = Option<u64>, Query, description = "Begin behind the event with this seq"),
        ("lane" = Option<u8>, Query, description = "Only this lane, and the request's own events"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As starting_after; sent by EventSource"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", description = "Events", body = StreamedEvent),
        (status = 204, description = "The request has ended and the cursor is at its end: do not come back"),
        Problems<(RequestPath, Query, Subscribed, ReadError)>,
    )
)]
pub(super) async fn stream(
    State(surface): State<Surface>,
    RequestPath(id): RequestPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["starting_after", "lane"])?;
    let (name, after) = cursor(&headers, &query)?;
    let lane = query.get::<u8>("lane", "the number of a lane, from 0")?.map(Lane);
    if lane.is_some_and(|lane| usize::from(lane.0) >= MAX_LANES) {
        return Err(
            Problem::new(ProblemKind::InvalidParameter, "a request has 5 lanes at most").field("lane")
        );
    }
    match surface.engine.subscribe(id, after).await? {
        Subscribed::NotFound => Err(Problem::no_such_request()),
        Subscribed::PastTheEnd => Ok(StatusCode::NO_CONTENT.into_response()),
        Subscribed::BeyondTail { newest } => {
            let newest = newest.map_or("none yet".to_owned(), |seq| seq.to_string());
            let detail = format!("{name} is beyond the newest event, which is {newest}");
            Err(Problem::new(ProblemKind::CursorBeyondTail, detail).field(name))
        }
        Subscribed::Following(subscription) => {
            let open = surface.http_metrics.open_stream();
            let writer = Writer::new(id, *subscription, lane, surface.disconnect.clone(), open);
            Ok(event_stream(Body::from_stream(writer.into_stream())))
        }
    }
}

can_fail!(Subscribed: NoSuchRequest, CursorBeyondTail);

/// The cursor and the name of what gave it. An EventSource repeats the URL of its first try, so the header wins.
fn cursor(headers: &HeaderMap, query: &Query) -> Result<(&'static str, Option<Seq>), Problem> {
    const WHAT: &str = "the seq of an event, a whole number from 0";
    // An event whose place is the last that a number can hold does not exist; its successor could not be counted.
    let place = |seq: &u64| *seq < u64::MAX;
    if let Some(value) = headers.get("last-event-id") {
        let value = value.to_str().unwrap_or_default();
        let seq = query::parse(value).filter(place).ok_or_else(|| invalid("Last-Event-ID", value, WHAT))?;
        return Ok(("Last-Event-ID", Some(Seq(seq))));
    }
    let seq = query.get::<u64>("starting_after", WHAT)?;
    if let Some(seq) = seq.filter(|seq| !place(seq)) {
        return Err(invalid("starting_after", &seq.to_string(), WHAT));
    }
    Ok(("starting_after", seq.map(Seq)))
}

pub(super) fn event_stream(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx kind buffer unless told otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Writes the events of one subscription. It is pulled by the connection: a reader that stops reading stops it, and
/// nothing gathers here.
struct Writer {
    id: RequestId,
    subscription: Subscription,
    lane: Option<Lane>,
    disconnected: Pin<Box<WaitForCancellationFutureOwned>>,
    silence: Silence,
    is_first: bool,
    /// The stream has told why it ends before its request; next it does.
    ending: Option<Ending>,
    _open: Inside,
}

/// How a stream ends that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With an error, so that no client takes what it has for the whole.
    Broken,
    /// As a whole body ends: its last event has said that there may be more, and for whom to wait.
    InOrder,
}

impl Writer {
    fn new(
        id: RequestId,
        subscription: Subscription,
        lane: Option<Lane>,
        disconnect: CancellationToken,
        open: Inside,
    ) -> Self {
        Self {
            id,
            subscription,
            lane,
            disconnected: Box::pin(disconnect.cancelled_owned()),
            silence: Silence::new(),
            is_first: true,
            ending: None,
            _open: open,
        }
    }

    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        futures_util::stream::unfold(self, |mut writer| async move {
            let chunk = writer.next_chunk().await?;
            Some((chunk, writer))
        })
    }

    /// The next bytes; `None` after the last event. An error breaks the connection, so that no client takes what it
    /// has for the whole.
    async fn next_chunk(&mut self) -> Option<io::Result<Bytes>> {
        if self.ending == Some(Ending::InOrder) {
            return None;
        }
        if self.ending == Some(Ending::Broken) {
            // On an error the connection fails at once, and an HTTP/2 stream with all that it still holds. Given a
            // moment, they send that first.
            tokio::time::sleep(LAST_WORDS).await;
            return Some(Err(io::Error::other("the stream ends before its request")));
        }
        // One clock for the whole silence: events that this reader does not want must not start it anew.
        self.silence.begin();
        loop {
            let mut out = BytesMut::new();
            let read = tokio::select! {
                biased;
                () = self.silence.is_long() => {
                    sse::write_keep_alive(&mut out);
                    return Some(Ok(out.freeze()));
                }
                read = self.subscription.next() => read,
                () = &mut self.disconnected => {
                    self.ending = Some(Ending::Broken);
                    sse::write_comment(&mut out, "the server stops: reconnect with Last-Event-ID");
                    return Some(Ok(out.freeze()));
                }
            };
            match read {
                Ok(None) => return None,
                Ok(Some(events)) => events.iter().for_each(|event| self.write(event, &mut out)),
                Err(error) => {
                    let is_absent = matches!(error, ReadError::ServerAbsent(_));
                    self.ending = Some(if is_absent { Ending::InOrder } else { Ending::Broken });
                    self.write_error(&error, &mut out);
                }
            }
            if !out.is_empty() {
                return Some(Ok(out.freeze()));
            }
        }
    }

    fn write(&mut self, event: &Arc<Event>, out: &mut BytesMut) {
        let label = event.body.attempt_seq().and_then(|attempt| self.subscription.label(attempt));
        if let (Some(wanted), Some(label)) = (self.lane, label)
            && label.lane != wanted
        {
            return;
        }
        let label = label.map(|label| native::Label { lane: label.lane, model: &label.model });
        let retry_ms = std::mem::replace(&mut self.is_first, false).then_some(RETRY_MS);
        native::write_event(out, self.id, event, label, retry_ms);
    }

    fn write_error(&self, error: &ReadError, out: &mut BytesMut) {
        tracing::warn!(request_id = %self.id, %error, "a stream is broken off");
        let mut told = serde_json::json!({ "message": error.to_string() });
        if let ReadError::ServerAbsent(server) = error {
            told["type"] = "server-absent".into();
            told["server"] = server_view(server);
        }
        let data = serde_json::json!({ "error": told }).to_string();
        sse::write_event(out, Some("error"), None, None, &data);
    }
}
