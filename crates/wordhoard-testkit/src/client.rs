//! A plain client of the native API, which keeps what it saw.

use std::io;
use std::time::Duration;

use serde_json::Value;
use wordhoard_wire::sse;

const MAX_EVENT_BYTES: usize = 64 << 20;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// `Retry-After`, where there is one.
    pub retry_after: Option<String>,
    /// `Location`, where there is one.
    pub location: Option<String>,
    /// The body; null where it is not JSON.
    pub body: Value,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenEvent {
    /// Its `id`, which is its `seq`.
    pub seq: u64,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    parser: sse::Parser,
}

/// How a stream went on.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// An event came.
    Event(SeenEvent),
    /// The body ended in an orderly way.
    Ended,
    /// The connection broke before the end of the body.
    Broken,
}

impl Client {
    /// A client of the server at that URL. Every wait for bytes is bounded, so a test cannot hang.
    pub fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_secs(60)).build();
        Self { http: http.unwrap_or_default(), base_url: base_url.to_owned() }
    }

    /// The same client with a key.
    ///
    /// # Errors
    /// Where the key cannot stand in a header.
    pub fn with_key(&self, key: &str) -> io::Result<Self> {
        let value = format!("Bearer {key}").parse().map_err(io::Error::other)?;
        let headers = [(reqwest::header::AUTHORIZATION, value)].into_iter().collect();
        let http = reqwest::Client::builder().no_proxy().default_headers(headers).build();
        Ok(Self { http: http.map_err(io::Error::other)?, base_url: self.base_url.clone() })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The HTTP client, for what the methods here do not do.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// Where no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        answer(request.body(body.to_string())).await
    }

    /// Gets a path.
    ///
    /// # Errors
    /// Where no answer comes.
    pub async fn get(&self, path: &str) -> io::Result<Answer> {
        answer(self.http.get(self.url(path))).await
    }

    /// Submits a prompt and gives the request's id.
    ///
    /// # Errors
    /// Where it is not accepted.
    pub async fn submit(&self, prompt: &str, models: &[&str]) -> io::Result<String> {
        let body = serde_json::json!({ "prompt": prompt, "models": models });
        let answer = self.post("/api/llm/prompt", &body).await?;
        match answer.body["request_id"].as_str() {
            Some(id) if answer.status == 202 => Ok(id.to_owned()),
            _ => Err(io::Error::other(format!("{}: {}", answer.status, answer.body))),
        }
    }

    /// Opens a stream behind an event, or from the first.
    ///
    /// # Errors
    /// Where no answer comes, or another than 200; the status is in the error.
    pub async fn follow(&self, id: &str, after: Option<u64>) -> io::Result<EventStream> {
        let mut request = self.http.get(self.url(&format!("/api/llm/stream/{id}")));
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let response = request.send().await.map_err(io::Error::other)?;
        if response.status() != 200 {
            return Err(io::Error::other(format!("status {}", response.status().as_u16())));
        }
        Ok(EventStream { response, parser: sse::Parser::new(MAX_EVENT_BYTES) })
    }

    /// All events of a request from behind `after` to its end.
    ///
    /// # Errors
    /// Where the stream breaks before its end.
    pub async fn read_to_end(&self, id: &str, after: Option<u64>) -> io::Result<Vec<SeenEvent>> {
        let mut stream = self.follow(id, after).await?;
        let mut seen = Vec::new();
        loop {
            match stream.next().await? {
                Next::Event(event) => seen.push(event),
                Next::Ended => return Ok(seen),
                Next::Broken => return Err(io::Error::other(format!("broken after {} events", seen.len()))),
            }
        }
    }

    /// Waits until a request has ended, and gives it whole.
    ///
    /// # Errors
    /// Where it does not end within a minute.
    pub async fn wait_for_end(&self, id: &str) -> io::Result<Value> {
        for _ in 0..1200 {
            let answer = self.get(&format!("/api/llm/requests/{id}")).await?;
            if answer.body["status"].as_str().is_some_and(|status| status != "running") {
                return Ok(answer.body);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the request did not end"))
    }
}

impl EventStream {
    /// The next event, or how the stream ended. Events are given as long as they came whole.
    ///
    /// # Errors
    /// Where what came is no event stream.
    pub async fn next(&mut self) -> io::Result<Next> {
        loop {
            if let Some(event) = self.parser.next_event().map_err(io::Error::other)? {
                return Ok(Next::Event(SeenEvent {
                    seq: event.id.and_then(|id| id.parse().ok()).unwrap_or(u64::MAX),
                    name: event.event.unwrap_or_default(),
                    data: serde_json::from_str(&event.data)?,
                }));
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.parser.feed(&bytes),
                Ok(None) => return Ok(Next::Ended),
                Err(_) => return Ok(Next::Broken),
            }
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> io::Result<Answer> {
    let response = request.send().await.map_err(io::Error::other)?;
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
    let location = header("location");
    let content_type = header("content-type").unwrap_or_default();
    let bytes = response.bytes().await.map_err(io::Error::other)?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Answer { status, content_type, retry_after, location, body })
}
