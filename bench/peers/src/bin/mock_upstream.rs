//! Mock LLM provider: OpenAI `/v1/chat/completions` and Anthropic `/v1/messages`.
//!
//! Shape of an answer comes from the request's model name, falling back to env:
//!   mock-<N>t-<D>ms[-p<P>ms][-flush][-ts][-<B>b]
//!     <N>t    tokens (content chunks)                   env MOCK_TOKENS     (64)
//!     <D>ms   delay between tokens                      env MOCK_DELAY_MS   (0)
//!     p<P>ms  delay before the first byte of the body   env MOCK_PREFILL_MS (0)
//!     flush   one write per event even at 0 ms (default: events may share a write)
//!     ts      token text is `@` + 16 hex digits: CLOCK_MONOTONIC ns at which it was emitted
//!     <B>b    bytes of a token's text (one letter, repeated)  env MOCK_TOKEN_TEXT for another text
//! Other env: MOCK_ADDR (127.0.0.1:9100), MOCK_THREADS (1), MOCK_TOKEN_TEXT (" token").

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{header, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

struct Defaults {
    tokens: usize,
    delay_ms: u64,
    prefill_ms: u64,
    text: String,
}

fn env<T: std::str::FromStr>(key: &str, default: T) -> T {
    std::env::var(key)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

fn defaults() -> &'static Defaults {
    static D: OnceLock<Defaults> = OnceLock::new();
    D.get_or_init(|| Defaults {
        tokens: env("MOCK_TOKENS", 64),
        delay_ms: env("MOCK_DELAY_MS", 0),
        prefill_ms: env("MOCK_PREFILL_MS", 0),
        text: env("MOCK_TOKEN_TEXT", " token".to_string()),
    })
}

#[derive(Deserialize)]
struct ChatRequest<'a> {
    #[serde(borrow, default)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Api {
    OpenAi,
    Anthropic,
}

/// Everything about one model name that does not change between requests.
struct Script {
    delay: Duration,
    prefill: Duration,
    flush: bool,
    /// Events sent at once before the first token, then one per token, then the closing ones.
    head: Vec<Bytes>,
    token: (Bytes, Bytes, Bytes),
    stamped: bool,
    tokens: usize,
    tail: Vec<Bytes>,
    whole: Bytes,
}

impl Script {
    fn parse(api: Api, model: &str) -> Script {
        let d = defaults();
        let (mut tokens, mut delay, mut prefill) = (d.tokens, d.delay_ms, d.prefill_ms);
        let (mut flush, mut stamped) = (false, false);
        let mut text = d.text.clone();
        for part in model.rsplit('/').next().unwrap_or(model).split('-') {
            match part {
                "flush" => flush = true,
                "ts" => stamped = true,
                p => {
                    if let Some(n) = p.strip_suffix('t').and_then(|n| n.parse().ok()) {
                        tokens = n;
                    } else if let Some(n) = p.strip_suffix('b').and_then(|n| n.parse().ok()) {
                        text = "x".repeat(n);
                    } else if let Some(ms) = p.strip_suffix("ms") {
                        if let Some(n) = ms.strip_prefix('p').and_then(|n| n.parse().ok()) {
                            prefill = n;
                        } else if let Ok(n) = ms.parse() {
                            delay = n;
                        }
                    }
                }
            }
        }
        let text = serde_json::to_string(&text).unwrap();
        let text = &text[1..text.len() - 1];
        let mut all = String::new();
        for _ in 0..tokens {
            all.push_str(text);
        }
        let (head, token, tail, whole) = match api {
            Api::OpenAi => openai(model, text, &all, tokens),
            Api::Anthropic => anthropic(model, text, &all, tokens),
        };
        Script {
            delay: Duration::from_millis(delay),
            prefill: Duration::from_millis(prefill),
            flush,
            head,
            token,
            stamped,
            tokens,
            tail,
            whole,
        }
    }

    fn token_event(&self) -> Bytes {
        let (before, whole, after) = &self.token;
        if !self.stamped {
            return whole.clone();
        }
        let mut out = BytesMut::with_capacity(before.len() + after.len() + 17);
        out.extend_from_slice(before);
        let _ = write!(out, "@{:016x}", monotonic_ns());
        out.extend_from_slice(after);
        out.freeze()
    }
}

type Parts = (Vec<Bytes>, (Bytes, Bytes, Bytes), Vec<Bytes>, Bytes);

fn openai(model: &str, text: &str, all: &str, n: usize) -> Parts {
    let usage = format!(
        r#"{{"prompt_tokens":32,"completion_tokens":{n},"total_tokens":{}}}"#,
        n + 32
    );
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-mock0000000000000000000000\",\"object\":\"chat.completion.chunk\",\
             \"created\":1700000000,\"model\":\"{model}\",\"system_fingerprint\":\"fp_mock\",\
             \"choices\":{choices},\"usage\":{usage}}}\n\n"
        )
    };
    let choice = |delta: &str, fin: &str| {
        format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{fin}}}]"#)
    };
    let token = chunk(&choice(r#"{"content":"\u{0}"}"#, "null"), "null");
    let (before, after) = token.split_once(r"\u{0}").unwrap();
    let whole = format!(
        "{{\"id\":\"chatcmpl-mock0000000000000000000000\",\"object\":\"chat.completion\",\"created\":1700000000,\
         \"model\":\"{model}\",\"system_fingerprint\":\"fp_mock\",\"choices\":[{{\"index\":0,\"message\":\
         {{\"role\":\"assistant\",\"content\":\"{all}\",\"refusal\":null}},\"logprobs\":null,\
         \"finish_reason\":\"stop\"}}],\"usage\":{usage}}}"
    );
    (
        vec![chunk(&choice(r#"{"role":"assistant","content":""}"#, "null"), "null").into()],
        split_token(before, text, after),
        vec![
            chunk(&choice("{}", r#""stop""#), "null").into(),
            chunk("[]", &usage).into(),
            Bytes::from_static(b"data: [DONE]\n\n"),
        ],
        whole.into(),
    )
}

fn anthropic(model: &str, text: &str, all: &str, n: usize) -> Parts {
    let event = |kind: &str, rest: &str| {
        Bytes::from(format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n"
        ))
    };
    let message = |content: &str, stop: &str, out: usize| {
        format!(
            r#"{{"id":"msg_mock","type":"message","role":"assistant","model":"{model}","content":{content},"stop_reason":{stop},"stop_sequence":null,"usage":{{"input_tokens":32,"output_tokens":{out}}}}}"#
        )
    };
    let before = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                  \"delta\":{\"type\":\"text_delta\",\"text\":\"";
    (
        vec![
            event(
                "message_start",
                &format!(r#","message":{}"#, message("[]", "null", 1)),
            ),
            event(
                "content_block_start",
                r#","index":0,"content_block":{"type":"text","text":""}"#,
            ),
            event("ping", ""),
        ],
        split_token(before, text, "\"}}\n\n"),
        vec![
            event("content_block_stop", r#","index":0"#),
            event(
                "message_delta",
                &format!(
                    r#","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{{"output_tokens":{n}}}"#
                ),
            ),
            event("message_stop", ""),
        ],
        message(
            &format!(r#"[{{"type":"text","text":"{all}"}}]"#),
            r#""end_turn""#,
            n,
        )
        .into(),
    )
}

fn split_token(before: &str, text: &str, after: &str) -> (Bytes, Bytes, Bytes) {
    (
        before.to_string().into(),
        format!("{before}{text}{after}").into(),
        after.to_string().into(),
    )
}

fn monotonic_ns() -> u64 {
    let mut ts = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `ts` is a valid, writable timespec for the duration of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

struct Stream {
    script: Rc<Script>,
    next: usize,
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    flushed: bool,
}

enum MockBody {
    Whole(Option<Bytes>),
    Stream(Stream),
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let s = match &mut *self {
            MockBody::Whole(b) => return Poll::Ready(b.take().map(|b| Ok(Frame::data(b)))),
            MockBody::Stream(s) => s,
        };
        let (head, tokens) = (s.script.head.len(), s.script.tokens);
        let token = s.next.checked_sub(head).filter(|k| *k < tokens);
        let wait = match token {
            Some(k) => s.script.prefill + s.script.delay * k as u32,
            None if s.next == 0 => s.script.prefill,
            None => Duration::ZERO,
        };
        if !wait.is_zero() {
            let due = s.start + wait;
            let sleep = s
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if sleep.deadline() != due {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        } else if s.script.flush && !s.flushed && s.next > 0 {
            // Pending once per event makes hyper write what it holds.
            s.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        s.flushed = false;
        let event = if s.next < head {
            s.script.head[s.next].clone()
        } else if token.is_some() {
            s.script.token_event()
        } else {
            match s.script.tail.get(s.next - head - tokens) {
                Some(e) => e.clone(),
                None => return Poll::Ready(None),
            }
        };
        s.next += 1;
        Poll::Ready(Some(Ok(Frame::data(event))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            MockBody::Whole(Some(b)) => SizeHint::with_exact(b.len() as u64),
            MockBody::Whole(None) => SizeHint::with_exact(0),
            MockBody::Stream(_) => SizeHint::default(),
        }
    }
}

type Scripts = Rc<RefCell<HashMap<(Api, String), Rc<Script>>>>;

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<MockBody> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(MockBody::Whole(Some(body.into())))
        .unwrap()
}

async fn handle(req: Request<Incoming>, scripts: Scripts) -> Result<Response<MockBody>, Infallible> {
    let api = match (req.method(), req.uri().path()) {
        (&Method::POST, "/v1/chat/completions" | "/chat/completions") => Api::OpenAi,
        (&Method::POST, "/v1/messages") => Api::Anthropic,
        (&Method::GET, "/v1/models" | "/models") => {
            return Ok(json(
                StatusCode::OK,
                r#"{"object":"list","data":[{"id":"mock-64t-0ms","object":"model","created":1700000000,"owned_by":"mock"}]}"#,
            ))
        }
        // Health and description probes that inference routers send to a worker.
        (&Method::GET, "/health" | "/health_generate" | "/") => {
            return Ok(json(StatusCode::OK, r#"{"status":"ok"}"#))
        }
        (&Method::GET, "/model_info" | "/get_model_info" | "/server_info" | "/get_server_info") => {
            return Ok(json(
                StatusCode::OK,
                r#"{"model_path":"mock","served_model_name":"mock","is_generation":true,"version":"0"}"#,
            ))
        }
        _ => return Ok(json(StatusCode::NOT_FOUND, r#"{"error":{"message":"not found"}}"#)),
    };
    let Ok(body) = req.into_body().collect().await else {
        return Ok(json(StatusCode::BAD_REQUEST, r#"{"error":{"message":"body"}}"#));
    };
    let body = body.to_bytes();
    let request: ChatRequest = match serde_json::from_slice(&body) {
        Ok(r) => r,
        Err(e) => {
            return Ok(json(
                StatusCode::BAD_REQUEST,
                format!(r#"{{"error":{{"message":"{e}"}}}}"#),
            ))
        }
    };
    let key = (api, request.model.into_owned());
    let cached = scripts.borrow().get(&key).cloned();
    let script = cached.unwrap_or_else(|| {
        let s = Rc::new(Script::parse(key.0, &key.1));
        scripts.borrow_mut().insert(key, s.clone());
        s
    });
    if !request.stream {
        let total = script.prefill + script.delay * script.tokens.saturating_sub(1) as u32;
        if !total.is_zero() {
            tokio::time::sleep(total).await;
        }
        return Ok(json(StatusCode::OK, script.whole.clone()));
    }
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-cache")
        .body(MockBody::Stream(Stream {
            script,
            next: 0,
            start: Instant::now(),
            sleep: None,
            flushed: false,
        }))
        .unwrap())
}

fn main() {
    let addr = env("MOCK_ADDR", "127.0.0.1:9100".to_string());
    let threads: usize = env("MOCK_THREADS", 1);
    let mut lanes = Vec::new();
    for _ in 0..threads.max(1) {
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel::<std::net::TcpStream>();
        lanes.push(tx);
        std::thread::spawn(move || {
            let rt = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let scripts = Scripts::default();
            tokio::task::LocalSet::new().block_on(&rt, async move {
                while let Some(stream) = rx.recv().await {
                    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
                        continue;
                    };
                    let scripts = scripts.clone();
                    tokio::task::spawn_local(async move {
                        let service = service_fn(move |r| handle(r, scripts.clone()));
                        let _ = hyper::server::conn::http1::Builder::new()
                            .pipeline_flush(false)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        });
    }
    let listener = std::net::TcpListener::bind(&addr).expect("bind MOCK_ADDR");
    // SAFETY: a second listen() on a listening socket only raises its backlog (std asks for 128).
    unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 4096) };
    eprintln!("mock-upstream on {addr}, {threads} thread(s)");
    for (i, stream) in listener.incoming().enumerate() {
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let _ = stream.set_nonblocking(true);
        let _ = lanes[i % lanes.len()].send(stream);
    }
}
