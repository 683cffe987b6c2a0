//! Requests that are passed on as they are, to paths that this server knows nothing of.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderMap;
use wordhoard_model::Failure;

use crate::{ClientCredential, Forwarded};

/// A request for a path below a provider's base URL.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Such as `GET`.
    pub method: http::Method,
    /// The path, a name for each level.
    pub path: Vec<String>,
    /// What of the client's request goes along beside the body.
    pub forwarded: Forwarded,
    /// The body, as it came.
    pub body: Bytes,
    /// The client's own credential, for a provider that is asked with it.
    pub credential: Option<ClientCredential>,
}

/// What came back.
pub struct Passed {
    /// The status.
    pub status: u16,
    /// The headers that are the client's affair.
    pub headers: HeaderMap,
    /// The body, as it comes.
    pub body: BoxStream<'static, Result<Bytes, Failure>>,
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").field("status", &self.status).finish_non_exhaustive()
    }
}
