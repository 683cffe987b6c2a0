//! Requests that are answered before their body was read: the rest of it must not be taken for the next request, so the
//! connection closes, and the answer says so.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::Version;
use http_body::{Frame, SizeHint};

/// Watches the body of a request, and says of it later whether it was read. In HTTP/2 only the stream of a request ends with it, so
/// nothing is watched there.
pub(super) fn watch(request: Request) -> (Request, Reading) {
    if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
        return (request, Reading(None));
    }
    let was_read = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&was_read);
    (request.map(|body| Body::new(Watched { body, was_read: watched })), Reading(Some(was_read)))
}

/// How far a body was read.
pub(super) struct Reading(Option<Arc<AtomicBool>>);

impl Reading {
    /// Whether there is more of the body than was read.
    pub(super) fn is_unfinished(&self) -> bool {
        self.0.as_ref().is_some_and(|was_read| !was_read.load(Ordering::Relaxed))
    }
}

/// A body that notes when it was read to its end.
struct Watched {
    body: Body,
    was_read: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.was_read.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
