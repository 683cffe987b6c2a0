use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use http::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use wordhoard_model::{Failure, FailureClass};

use super::{Endpoint, Post, Reply, Route, TokenSource, Transport};
use crate::address_policy::PolicyResolver;
use crate::{ClientCredential, Forwarded, Passage};

/// Idle connections are closed before load balancers, which commonly take 60 s, close them under a request.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// A dead connection is found after 60 s without an answer (SPEC FD 2), long before the limits of its answers: by probes of
/// TCP, of which three may fail, and by pings of HTTP/2.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const TCP_PROBES: u32 = 3;
const PING_TIMEOUT: Duration = Duration::from_secs(45);

/// Posts to one provider over HTTP/1.1 or HTTP/2, with TLS by rustls.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    client: Client,
    route: Route,
    credentials: Credentials,
    headers: &'static [(HeaderName, HeaderValue)],
}

/// How a provider knows us.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    /// By a key in that header; the keys are in the order of their places, and marked as sensitive, so that no log
    /// shows them.
    Keys(HeaderName, Vec<HeaderValue>),
    /// Each call by the credential that comes with it.
    Client,
    /// By a token that is had when it is needed.
    Tokens(Arc<dyn TokenSource>),
}

pub(crate) struct HttpOptions {
    pub(crate) route: Route,
    pub(crate) credentials: Credentials,
    /// What goes with every request.
    pub(crate) headers: &'static [(HeaderName, HeaderValue)],
    pub(crate) resolver: PolicyResolver,
    pub(crate) connect_timeout: Duration,
    /// Whether a proxy that the environment names is used.
    pub(crate) use_proxy: bool,
}

impl HttpTransport {
    /// Sets no limit for the whole answer: reqwest's `timeout` would cut a long stream. Follows no redirect, for it
    /// could lead anywhere with our key, and never sends a request twice.
    pub(crate) fn new(options: HttpOptions) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .user_agent(concat!("wordhoard/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .tcp_keepalive(PING_INTERVAL)
            .tcp_keepalive_interval(PING_INTERVAL)
            .tcp_keepalive_retries(TCP_PROBES)
            .pool_idle_timeout(POOL_IDLE)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .tls_backend_rustls()
            .dns_resolver(options.resolver);
        if !options.use_proxy {
            builder = builder.no_proxy();
        }
        if options.route.base().scheme() == "http" {
            // Without TLS no root certificates are needed; a machine without any can still call its own servers.
            builder = builder.tls_certs_only([]);
        }
        let HttpOptions { route, credentials, headers, .. } = options;
        Ok(Self { client: builder.build()?, route, credentials, headers })
    }
}

impl Transport for HttpTransport {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Reply, Failure>> {
        let accept = if post.stream { "text/event-stream" } else { "application/json" };
        let mut url = match post.endpoint {
            Endpoint::Answer => self.route.url(&post.model, post.stream),
            Endpoint::Compaction => self.route.below_base(&["responses", "compact"]),
            Endpoint::Embeddings => self.route.below_base(&["embeddings"]),
            Endpoint::TokenCount => self.route.token_count(&post.model),
        };
        add_query(&mut url, post.forwarded.query.as_deref());
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Compression holds pieces of a stream back. What comes compressed all the same is read.
        if post.stream {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        headers.extend(self.headers.iter().cloned());
        // What the client says stands in the place of what we say by default.
        forward(&post.forwarded, &mut headers);
        self.send(Method::POST, url, headers, post.body, (post.key, post.credential))
    }

    fn pass_on(&self, passage: Passage, key: usize) -> BoxFuture<'static, Result<Reply, Failure>> {
        let path: Vec<&str> = passage.path.iter().map(String::as_str).collect();
        let mut url = self.route.below_base(&path);
        add_query(&mut url, passage.forwarded.query.as_deref());
        let mut headers: HeaderMap = self.headers.iter().cloned().collect();
        forward(&passage.forwarded, &mut headers);
        self.send(passage.method, url, headers, passage.body, (key, passage.credential))
    }
}

impl HttpTransport {
    fn send(
        &self,
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        body: Bytes,
        (key, credential): (usize, Option<ClientCredential>),
    ) -> BoxFuture<'static, Result<Reply, Failure>> {
        if let (Credentials::Client, Some(credential)) = (&self.credentials, &credential) {
            credential.headers().for_each(|(name, value)| drop(headers.insert(name, value.clone())));
        }
        let mut request = self.client.request(method, url).headers(headers).body(body);
        let mut tokens = None;
        match &self.credentials {
            Credentials::Keys(name, keys) => {
                if let Some(key) = keys.get(key) {
                    request = request.header(name, key.clone());
                }
            }
            Credentials::Client => {}
            Credentials::Tokens(source) => tokens = Some(source.token()),
        }
        async move {
            if let Some(token) = tokens {
                request = request.bearer_auth(token.await?);
            }
            let response = request.send().await.map_err(|error| failed_before_answer(&error))?;
            Ok(Reply {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response
                    .bytes_stream()
                    .map(|piece| piece.map_err(|error| failed_in_body(&error)))
                    .boxed(),
            })
        }
        .boxed()
    }
}

fn add_query(url: &mut Url, query: Option<&str>) {
    if let Some(query) = query {
        let own = url.query().map(|own| format!("{own}&")).unwrap_or_default();
        url.set_query(Some(&format!("{own}{query}")));
    }
}

/// Adds the client's headers, in the place of ours of the same names.
fn forward(forwarded: &Forwarded, headers: &mut HeaderMap) {
    let forwarded = forwarded.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    let forwarded: Vec<_> = forwarded.collect();
    forwarded.iter().for_each(|(name, _)| drop(headers.remove(name)));
    for (name, value) in forwarded {
        headers.append(name, value);
    }
}

fn failed_before_answer(error: &reqwest::Error) -> Failure {
    if error.is_connect() && error.is_timeout() {
        let message = "no connection to the provider within the time limit";
        return Failure::new(FailureClass::ConnectTimeout, message);
    }
    let what = if error.is_connect() {
        "no connection to the provider"
    } else {
        "the connection broke before the provider answered"
    };
    Failure::new(FailureClass::Connect, format!("{what}: {}", root_cause(error)))
}

fn failed_in_body(error: &reqwest::Error) -> Failure {
    let message = format!("the connection broke in mid-answer: {}", root_cause(error));
    Failure::new(FailureClass::Cut, message)
}

/// The innermost cause. The outer ones name the URL or only that something failed.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        // It has no cause, and its own words name the URL.
        Some(_) => "no reason given".to_owned(),
        None => cause.to_string(),
    }
}
