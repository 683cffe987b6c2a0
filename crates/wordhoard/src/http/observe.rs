//! Every request is counted when it is answered, and has a span in a trace, which may be its caller's.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use opentelemetry::context::FutureExt;
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::metrics::HttpMetrics;

/// Asked so often that spans of them would hide all others.
const NOT_TRACED: &[&str] = &["/livez", "/readyz", "/api/health", "/metrics", "/api/metrics"];

pub(super) async fn observe<A>(
    metrics: &HttpMetrics,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response
where
    A: Future<Output = Response>,
{
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let trace = route.as_deref().and_then(|route| Trace::start(&method, route, request.headers()));
    let response = match &trace {
        Some(trace) => answer(request).with_context(trace.0.clone()).await,
        None => answer(request).await,
    };
    metrics.answered(&method, route.as_deref(), response.status());
    if let Some(trace) = trace {
        trace.finish(response.status());
    }
    response
}

/// The span of a request, until its answer begins; what streams then is the business of other spans.
struct Trace(Context);

impl Trace {
    /// Nothing where nobody collects spans.
    fn start(method: &Method, route: &str, headers: &HeaderMap) -> Option<Self> {
        if NOT_TRACED.contains(&route) {
            return None;
        }
        let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let builder = SpanBuilder::from_name(format!("{method} {route}")).with_kind(SpanKind::Server);
        let span = builder.start_with_context(&global::tracer("wordhoard"), &caller);
        let context = Context::new().with_span(span);
        if !context.span().is_recording() {
            // Not collected, yet what follows still belongs to the trace of the caller, which says so.
            return caller.has_active_span().then_some(Self(caller));
        }
        context.span().set_attribute(KeyValue::new("http.request.method", method.as_str().to_owned()));
        context.span().set_attribute(KeyValue::new("http.route", route.to_owned()));
        Some(Self(context))
    }

    fn finish(&self, status: StatusCode) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Headers, as the propagator reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
