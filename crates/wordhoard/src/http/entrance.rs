//! What every request passes on its way in, and its answer on the way out. One layer: each that stood alone would clone and box all
//! that stands behind it, for every request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use wordhoard_engine::Clock;

use super::guard::{self, Hosts};
use super::observe::observe;
use super::{front, rate_headers, unread_body};
use crate::metrics::HttpMetrics;

pub(super) struct Entrance {
    pub(super) hosts: Arc<Hosts>,
    pub(super) clock: Arc<dyn Clock>,
    /// None while the server starts: then it refuses nearly everything, and neither counts nor logs it.
    pub(super) metrics: Option<Arc<HttpMetrics>>,
}

pub(super) async fn pass(State(entrance): State<Arc<Entrance>>, request: Request, next: Next) -> Response {
    match &entrance.metrics {
        Some(metrics) => observe(metrics, request, |request| entrance.answer(request, next)).await,
        None => entrance.answer(request, next).await,
    }
}

impl Entrance {
    async fn answer(&self, request: Request, next: Next) -> Response {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let shape = front::shape_of(&request);
        let came_in_chunks = guard::came_in_chunks(&request);
        let (request, reading) = unread_body::watch(request);
        let mut response = match guard::check(&self.hosts, &request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
        rate_headers::tell_standing(&mut response, shape, &*self.clock);
        if came_in_chunks || reading.is_unfinished() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.metrics.is_some() {
            guard::log_refusal(&method, &uri, &response);
        }
        // Last, after all that may refuse: whoever calls a dialect's path understands no other errors.
        front::speak_dialect(shape, response)
    }
}
