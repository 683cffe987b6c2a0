//! Asking a running server: submit, then follow the stream, and come back where a connection breaks.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Map, Value};
use wordhoard_wire::sse;

use super::Events;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the server is ever silent.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Connections in a row that bring nothing before we give up.
const MAX_FRUITLESS: u32 = 30;
/// Times that a prompt is offered to a server that cannot take it now.
const MAX_REFUSALS: u32 = 10;
const MAX_EVENT_BYTES: usize = 32 << 20;

/// Headers of every call: the key, if there is one.
fn headers(api_key: Option<&str>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = api_key.map(str::trim).filter(|key| !key.is_empty()) {
        // The error must not say the key.
        let value = HeaderValue::from_str(&format!("Bearer {key}"));
        let mut value = value.map_err(|_| anyhow::anyhow!("the API key has characters that no key has"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

pub(super) async fn ask(
    server: &str,
    api_key: Option<&str>,
    body: Map<String, Value>,
) -> anyhow::Result<Events> {
    let server = server.trim_end_matches('/').to_owned();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .no_proxy()
        .default_headers(headers(api_key)?)
        .build()?;
    let body = serde_json::to_vec(&body)?;
    let mut tries = 1;
    let response = loop {
        let response = client
            .post(format!("{server}/api/llm/prompt"))
            .header("content-type", "application/json")
            .body(body.clone())
            .send()
            .await
            .with_context(|| {
                format!("cannot reach a server at {server}; start one with `wordhoard`, or ask with --local")
            })?;
        // A server that is starting, say. What it refuses was not recorded, so asking again makes no double.
        if response.status() != StatusCode::SERVICE_UNAVAILABLE || tries == MAX_REFUSALS {
            break response;
        }
        tries += 1;
        tokio::time::sleep(RECONNECT_PAUSE).await;
    };
    let accepted = response.status().is_success();
    let answer: Value =
        serde_json::from_slice(&response.bytes().await?).context("the server's answer is not JSON")?;
    if !accepted {
        bail!("{}", answer["detail"].as_str().unwrap_or("the server refused the prompt"));
    }
    let url = format!(
        "{server}{}",
        answer["stream_url"].as_str().context("the server's answer has no stream_url")?
    );
    let follower =
        Follower { client, url, last_id: None, parser: None, response: None, fruitless: 0, ended: false };
    Ok(futures_util::stream::try_unfold(follower, |mut follower| async move {
        Ok(follower.next().await?.map(|event| (event, follower)))
    })
    .boxed())
}

struct Follower {
    client: reqwest::Client,
    url: String,
    last_id: Option<String>,
    response: Option<reqwest::Response>,
    parser: Option<sse::Parser>,
    fruitless: u32,
    ended: bool,
}

impl Follower {
    async fn next(&mut self) -> anyhow::Result<Option<(String, Value)>> {
        while !self.ended {
            if let Some(parser) = &mut self.parser
                && let Some(event) = parser.next_event()?
            {
                let name = event.event.unwrap_or_else(|| "message".into());
                if let Some(id) = event.id {
                    self.last_id = Some(id);
                    self.fruitless = 0;
                }
                self.ended = name == "request.finished";
                return Ok(Some((name, serde_json::from_str(&event.data)?)));
            }
            let chunk = match &mut self.response {
                Some(response) => response.chunk().await.ok().flatten(),
                None => None,
            };
            match (chunk, &mut self.parser) {
                (Some(bytes), Some(parser)) => parser.feed(&bytes),
                _ => self.reconnect().await?,
            }
        }
        Ok(None)
    }

    async fn reconnect(&mut self) -> anyhow::Result<()> {
        if self.fruitless > 0 {
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        self.fruitless += 1;
        anyhow::ensure!(
            self.fruitless <= MAX_FRUITLESS,
            "the server is gone; the answer goes on there: {}",
            self.url
        );
        let mut request = self.client.get(&self.url);
        if let Some(id) = &self.last_id {
            request = request.header("last-event-id", id);
        }
        let Ok(response) = request.send().await else {
            return Ok(());
        };
        match response.status().as_u16() {
            200 => {
                self.parser = Some(sse::Parser::new(MAX_EVENT_BYTES));
                self.response = Some(response);
            }
            204 => self.ended = true,
            500.. => {}
            status => bail!("the server answers {status} for {}", self.url),
        }
        Ok(())
    }
}
