//! How a request reaches a provider: over HTTP, or within this process for the demo.

mod http;
mod route;
mod token_source;

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use wordhoard_model::Failure;

use crate::{ClientCredential, Forwarded, Passage};

pub(crate) use self::http::{Credentials, HttpOptions, HttpTransport, root_cause};
pub(crate) use self::route::Route;
pub(crate) use self::token_source::{GoogleTokens, TokenSource};

/// Posts a request and gives the answer as it comes. Keeps no time limit but the one for connecting, and does not
/// look into what it carries.
pub(crate) trait Transport: Debug + Send + Sync {
    /// Nothing happens before the future is polled; dropping it, or the body, closes the connection.
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Reply, Failure>>;

    /// Sends a request as it came, with the provider's key of that place. As [`Transport::post`] otherwise.
    fn pass_on(&self, passage: Passage, key: usize) -> BoxFuture<'static, Result<Reply, Failure>>;
}

/// What a provider is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An answer.
    Answer,
    /// A compacted conversation, in the responses dialect.
    Compaction,
    /// Embeddings, in OpenAI's dialects.
    Embeddings,
    /// How many tokens a prompt has.
    TokenCount,
}

/// What is posted.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// What is asked for.
    pub(crate) endpoint: Endpoint,
    /// The model that it is for; some dialects have it in the URL.
    pub(crate) model: String,
    /// Whether the answer shall come as a stream; some dialects have that in the URL.
    pub(crate) stream: bool,
    pub(crate) body: Bytes,
    /// What of the client's request goes along.
    pub(crate) forwarded: Forwarded,
    /// Which of the provider's keys goes with it, by its place.
    pub(crate) key: usize,
    /// The client's own credential, where the provider is asked in its name.
    pub(crate) credential: Option<ClientCredential>,
}

impl Post {
    /// One without a body, for no model.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            model: String::new(),
            stream: false,
            body: Bytes::new(),
            forwarded: Forwarded::default(),
            key: 0,
            credential: None,
        }
    }
}

/// The head of an answer, and its body still to come.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ::http::HeaderMap,
    pub(crate) body: ReplyBody,
}

/// The bytes of an answer. A failure in it says that the connection broke, and ends it.
pub(crate) type ReplyBody = BoxStream<'static, Result<Bytes, Failure>>;
