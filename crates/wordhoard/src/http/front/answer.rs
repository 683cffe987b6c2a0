use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::Stream;
use tokio_util::sync::CancellationToken;
use wordhoard_engine::metrics::Inside;
use wordhoard_engine::{ReadError, Subscribed, Subscription};
use wordhoard_model::{Failure, FailureClass, RequestId};
use wordhoard_providers::{Completion, Delta, Dialect};
use wordhoard_wire::{AnswerHead, EncodeStream, sse};

use super::ask::Asked;
use super::failures::problem_of;
use super::relay::{Relay, Said};
use crate::http::Surface;
use crate::http::problem::Problem;

/// How long a stream is silent at most.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stream that is broken off has for what was written last.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The id under which the native API has the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-wordhoard-request-id");
/// The names under which clients look for the id of a call: OpenAI's, and Anthropic's.
const CLIENTS_REQUEST_IDS: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];

/// Follows a request and answers as its client asked. The status waits for the first piece of the answer, so that what
/// fails before it is told as clients expect it.
pub(super) async fn answer(surface: &Surface, asked: Asked, dialect: Dialect) -> Result<Response, Problem> {
    let Subscribed::Following(subscription) = surface.engine.subscribe(asked.request_id, None).await? else {
        return Err(Problem::no_such_request());
    };
    let relay = if asked.stream { Relay::default() } else { Relay::gathering() };
    let mut following = Following { subscription: *subscription, relay };
    let response = if asked.stream {
        let first = following.until_first().await?;
        if let Some(Said::Failed(failure)) = first.first() {
            return Err(problem_of(failure));
        }
        let head = head(dialect, &asked, following.relay.model());
        let writer = Writer {
            id: asked.request_id,
            following,
            encoder: dialect.stream_encoder(head, asked.include_usage),
            waiting: first,
            disconnect: surface.disconnect.clone(),
            stage: Stage::Open,
            _open: surface.http_metrics.open_stream(),
        };
        let mut response = Body::from_stream(writer.into_stream()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // Proxies of the nginx kind buffer unless told otherwise.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    } else {
        let (deltas, completion) = following.whole().await?;
        let head = head(dialect, &asked, following.relay.model());
        let body = dialect.encode_answer(&head, &deltas, &completion);
        (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    Ok(with_ids(response, asked.request_id))
}

fn head(dialect: Dialect, asked: &Asked, model: Option<&str>) -> AnswerHead {
    let prefix = match dialect {
        Dialect::Anthropic => "msg",
        _ => "chatcmpl",
    };
    AnswerHead {
        id: format!("{prefix}-{}", asked.request_id),
        created_s: asked.created_s,
        model: model.unwrap_or_default().to_owned(),
    }
}

fn with_ids(mut response: Response, id: RequestId) -> Response {
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        for name in CLIENTS_REQUEST_IDS {
            response.headers_mut().insert(name, value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

struct Following {
    subscription: Subscription,
    relay: Relay,
}

impl Following {
    /// What the next events tell; none once there are no more.
    async fn next(&mut self) -> Result<Option<Vec<Said>>, ReadError> {
        let Some(events) = self.subscription.next().await? else { return Ok(None) };
        let mut said = Vec::new();
        events.iter().for_each(|event| self.relay.take(event, &mut said));
        Ok(Some(said))
    }

    /// Waits for what is told first.
    async fn until_first(&mut self) -> Result<Vec<Said>, ReadError> {
        while let Some(said) = self.next().await? {
            if !said.is_empty() {
                return Ok(said);
            }
        }
        Ok(vec![Said::Failed(Failure::new(FailureClass::Internal, "the request ended without a word"))])
    }

    /// Waits for the whole answer.
    async fn whole(&mut self) -> Result<(Vec<Delta>, Completion), Problem> {
        let mut deltas = Vec::new();
        while let Some(said) = self.next().await? {
            for one in said {
                match one {
                    Said::Delta(delta) => deltas.push(delta),
                    Said::Anew => deltas.clear(),
                    Said::Completed(completion) => return Ok((deltas, completion)),
                    Said::Failed(failure) => return Err(problem_of(&failure)),
                }
            }
        }
        Err(problem_of(&Failure::new(FailureClass::Internal, "the request ended without a word")))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The last event was written.
    Ended,
    /// The stream has told why it breaks off, if it could; next it does.
    Broken,
}

/// Writes an answer event by event. It is pulled by the connection: a reader that stops reading stops it, and nothing
/// gathers here.
struct Writer {
    id: RequestId,
    following: Following,
    encoder: Box<dyn EncodeStream>,
    /// Told and not yet written.
    waiting: Vec<Said>,
    disconnect: CancellationToken,
    stage: Stage,
    _open: Inside,
}

impl Writer {
    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        futures_util::stream::unfold(self, |mut writer| async move {
            let chunk = writer.next_chunk().await?;
            Some((chunk, writer))
        })
    }

    /// The next bytes; `None` after the last event. An error breaks the connection, for nearly all clients take an
    /// orderly end of the body for the end of the answer.
    async fn next_chunk(&mut self) -> Option<io::Result<Bytes>> {
        let mut out = BytesMut::new();
        self.write_waiting(&mut out);
        let silence = tokio::time::sleep(KEEP_ALIVE);
        tokio::pin!(silence);
        while out.is_empty() {
            match self.stage {
                Stage::Ended => return None,
                Stage::Broken => {
                    // Given a moment, the connection sends what it still holds.
                    tokio::time::sleep(LAST_WORDS).await;
                    return Some(Err(io::Error::other("the answer is not whole")));
                }
                Stage::Open => {}
            }
            tokio::select! {
                biased;
                () = &mut silence => sse::write_keep_alive(&mut out),
                said = self.following.next() => self.hear(said),
                () = self.disconnect.cancelled() => self.stage = Stage::Broken,
            }
            self.write_waiting(&mut out);
        }
        Some(Ok(out.freeze()))
    }

    fn hear(&mut self, said: Result<Option<Vec<Said>>, ReadError>) {
        match said {
            Ok(Some(said)) => self.waiting = said,
            Ok(None) => self.stage = Stage::Broken,
            Err(error) => {
                tracing::warn!(request_id = %self.id, %error, "an answer is broken off");
                self.waiting = vec![Said::Failed(Failure::new(FailureClass::Storage, error.to_string()))];
            }
        }
    }

    fn write_waiting(&mut self, out: &mut BytesMut) {
        for said in std::mem::take(&mut self.waiting) {
            match said {
                Said::Delta(delta) => self.encoder.delta(out, &delta),
                // Only where nothing was written.
                Said::Anew => {}
                Said::Completed(completion) => {
                    self.encoder.finish(out, &completion);
                    self.stage = Stage::Ended;
                }
                Said::Failed(failure) => {
                    self.encoder.fail(out, &failure);
                    self.stage = Stage::Broken;
                }
            }
        }
    }
}
