use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf, BytesMut};
use futures_util::Stream;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::WaitForCancellationFutureOwned;
use wordhoard_engine::ReadError;
use wordhoard_engine::metrics::Inside;
use wordhoard_model::{Failure, FailureClass, ModelRef, RequestId, Timestamp};
use wordhoard_providers::Dialect;
use wordhoard_wire::openai_chat::{self, WholeChoice};
use wordhoard_wire::{AnswerHead, Asked};

use super::choices::Choices;
use super::encoder::Encoder;
use super::failures::problem_of;
use super::following::{Following, without_a_word};
use super::present_client::PresentClient;
use super::relay::Said;
use super::route::Route;
use crate::http::Surface;
use crate::http::problem::Problem;
use crate::http::request_path::RESPONSE_PREFIX;
use crate::http::silence::Silence;
use crate::http::stream::{LAST_WORDS, event_stream};

/// The id under which the native API has the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-wordhoard-request-id");
/// The names under which clients look for the id of a call: OpenAI's, and Anthropic's.
const CLIENTS_REQUEST_IDS: [HeaderName; 2] =
    [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];

/// How the answer to a request is told.
pub(super) struct Telling {
    pub(super) dialect: Dialect,
    /// The models that were asked for, one for each choice.
    pub(super) models: Vec<ModelRef>,
    /// Whether a stream of the chat dialect tells the usage.
    pub(super) include_usage: bool,
    /// What the answer takes over from its request.
    pub(super) asked: Asked,
    /// Events of the stream that the client has already.
    pub(super) known_events: u64,
    /// Whether what happened before the client came is told by its outcome: of several attempts, the one that counts. Otherwise
    /// the stream is the same, event by event, whenever it is read.
    pub(super) folds_the_past: bool,
    /// Items of a response that the client has shown that it has; they are left out where the answer begins with them.
    pub(super) shown_items: Vec<Value>,
}

/// How long the status of a stream waits for the first piece of the answer (SPEC FD 12).
const STATUS_PATIENCE: Duration = Duration::from_secs(15);

/// Answers with a stream. Its status waits a while for the first piece of the answer, so that what fails before it has the form
/// that clients expect. Responses do not wait: their first event has the id under which they can be resumed.
pub(super) async fn stream(surface: &Surface, id: RequestId, telling: Telling) -> Result<Response, Problem> {
    let mut following = match telling.folds_the_past {
        true => Following::open_folding(surface, id, telling.dialect).await?,
        false => Following::open(surface, id, Choices::telling(telling.dialect)).await?,
    };
    let client = PresentClient::new(surface, id);
    let mut waiting = following.next().await?.unwrap_or_default();
    if telling.dialect != Dialect::OpenAiResponses {
        let opens_at = Instant::now() + STATUS_PATIENCE;
        while waiting.is_empty() {
            let end = || vec![(0, Said::Failed(without_a_word()))];
            match timeout_at(opens_at, following.next_unless_stopped()).await {
                Ok(said) => waiting = said?.unwrap_or_else(end),
                Err(_) => break,
            }
        }
        if let Some((_, Said::Failed(failure))) = waiting.first() {
            let mut refused = problem_of(failure).into_response();
            following.choices.route().add_headers(refused.headers_mut());
            return Ok(refused);
        }
    }
    let route = following.choices.route().clone().asked_of(telling.models.first());
    let head = head(&following, id, &telling);
    let writer = Writer {
        id,
        dialect: telling.dialect,
        disconnected: Box::pin(following.disconnect.clone().cancelled_owned()),
        silence: Silence::new(),
        following,
        encoder: Encoder::new(&telling, head),
        waiting,
        known_events: telling.known_events,
        stage: Stage::Unopened,
        client,
        _open: surface.http_metrics.open_stream(),
    };
    let mut response = event_stream(Body::from_stream(writer.into_stream()));
    route.add_headers(response.headers_mut());
    Ok(response)
}

/// Answers with the whole, once it is there.
pub(super) async fn whole(surface: &Surface, id: RequestId, telling: Telling) -> Result<Response, Problem> {
    let (gathered, route) = gather_by_route(surface, id, telling).await?;
    let mut response = match gathered {
        Ok(body) => document(body),
        Err(failure) => problem_of(&failure).into_response(),
    };
    route.add_headers(response.headers_mut());
    Ok(response)
}

/// The whole answer as a body, once it is there; or why there is none.
pub(super) async fn gather(
    surface: &Surface,
    id: RequestId,
    telling: Telling,
) -> Result<Result<Vec<u8>, Failure>, Problem> {
    Ok(gather_by_route(surface, id, telling).await?.0)
}

async fn gather_by_route(
    surface: &Surface,
    id: RequestId,
    telling: Telling,
) -> Result<(Result<Vec<u8>, Failure>, Route), Problem> {
    let mut following = Following::open(surface, id, Choices::gathering(telling.dialect)).await?;
    let mut client = PresentClient::new(surface, id);
    let whole = following.whole().await?;
    client.has_it_all();
    let route = following.choices.route().clone();
    Ok((whole.map(|choices| body_of(&following, id, telling, &choices)), route))
}

fn body_of(following: &Following, id: RequestId, telling: Telling, choices: &[WholeChoice]) -> Vec<u8> {
    let head = head(following, id, &telling);
    let [WholeChoice { deltas, events, completion, .. }] = choices else {
        let all: Vec<String> = choices.iter().map(|choice| choice.model.clone()).collect();
        return openai_chat::encode_choices(&AnswerHead { model: all.join(", "), ..head }, choices);
    };
    let ended_at_s = following.choices.ended_at().map(seconds);
    let Telling { dialect, asked, .. } = &telling;
    if let Some(passed) = dialect.passed_answer(&head, asked, ended_at_s, events.clone(), deltas, completion)
    {
        return passed;
    }
    telling.dialect.encode_answer_for(&head, telling.asked, ended_at_s, deltas, completion)
}

/// A body that is all there.
pub(super) fn document(body: Vec<u8>) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// What every event of the answer repeats. The same request gives the same, whenever it is asked for.
pub(super) fn head_of(id: RequestId, dialect: Dialect, created_at: Timestamp, model: String) -> AnswerHead {
    let id = match dialect {
        Dialect::Anthropic => format!("msg_{id}"),
        Dialect::OpenAiResponses => format!("{RESPONSE_PREFIX}{id}"),
        _ => format!("chatcmpl-{id}"),
    };
    AnswerHead { id, created_s: seconds(created_at), model }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis() / 1_000).unwrap_or_default()
}

/// Names the request in the headers of its answer.
pub(super) fn add_ids(response: &mut Response, id: RequestId) {
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        for name in CLIENTS_REQUEST_IDS {
            response.headers_mut().insert(name, value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// In the responses dialect the model is the one that was asked for: its first event comes before any other is known.
fn head(following: &Following, id: RequestId, telling: &Telling) -> AnswerHead {
    let answering = following.choices.model(0).filter(|_| telling.dialect != Dialect::OpenAiResponses);
    let asked = || telling.models.first().map(ToString::to_string).unwrap_or_default();
    let model = answering.map_or_else(asked, str::to_owned);
    head_of(id, telling.dialect, following.choices.created_at(), model)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was written.
    Unopened,
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
    dialect: Dialect,
    following: Following,
    encoder: Encoder,
    /// Told and not yet written, and of which choice.
    waiting: Vec<(usize, Said)>,
    /// Events that are still to be passed over.
    known_events: u64,
    stage: Stage,
    silence: Silence,
    /// The server stops.
    disconnected: Pin<Box<WaitForCancellationFutureOwned>>,
    client: PresentClient,
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
        if self.stage == Stage::Unopened {
            self.stage = Stage::Open;
            self.encoder.open(&mut out);
        }
        self.write_waiting(&mut out);
        self.silence.begin();
        while out.is_empty() {
            match self.stage {
                Stage::Ended => {
                    self.client.has_it_all();
                    return None;
                }
                Stage::Broken => {
                    // Given a moment, the connection sends what it still holds.
                    tokio::time::sleep(LAST_WORDS).await;
                    return Some(Err(io::Error::other("the answer is not whole")));
                }
                Stage::Unopened | Stage::Open => {}
            }
            tokio::select! {
                biased;
                () = self.silence.is_long() => self.dialect.write_keep_alive(&mut out),
                said = self.following.next() => self.hear(said),
                () = &mut self.disconnected => self.stage = Stage::Broken,
            }
            self.write_waiting(&mut out);
        }
        Some(Ok(out.freeze()))
    }

    fn hear(&mut self, said: Result<Option<Vec<(usize, Said)>>, ReadError>) {
        match said {
            Ok(Some(said)) => self.waiting = said,
            Ok(None) => self.stage = Stage::Broken,
            Err(error) => {
                tracing::warn!(request_id = %self.id, %error, "an answer is broken off");
                let failure = Failure::new(FailureClass::Storage, error.to_string());
                self.waiting = vec![(0, Said::Failed(failure))];
            }
        }
    }

    fn write_waiting(&mut self, out: &mut BytesMut) {
        for (choice, said) in std::mem::take(&mut self.waiting) {
            match said {
                Said::Delta(delta) => self.encoder.delta(out, choice, &delta),
                Said::Event(event, deltas) => self.encoder.told(out, choice, event, &deltas),
                // Only where nothing was written.
                Said::Anew => {}
                Said::AnotherCall => self.encoder.another_call(out, choice),
                Said::Completed(completion) => {
                    let ended_at_s = self.following.choices.ended_at().map(seconds);
                    if self.encoder.complete(out, choice, *completion, ended_at_s) {
                        self.stage = Stage::Ended;
                    }
                }
                Said::Failed(failure) => {
                    self.encoder.fail(out, &failure);
                    self.stage = Stage::Broken;
                    // Nothing stands behind the error.
                    break;
                }
            }
        }
        self.pass_over_known(out);
    }

    /// Events are whole, and no line in one is empty: so an empty line is the end of one.
    fn pass_over_known(&mut self, out: &mut BytesMut) {
        while self.known_events > 0
            && let Some(end) = out.windows(2).position(|two| two == b"\n\n")
        {
            out.advance(end + 2);
            self.known_events -= 1;
        }
    }
}
