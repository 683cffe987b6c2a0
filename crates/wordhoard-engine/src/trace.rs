//! Spans of OpenTelemetry for requests and calls to providers, by its semantic conventions for generative AI. They hold
//! what was asked of whom and how it went, never a text. Where nobody collects them, next to nothing is done.
//!
//! Spans end by themselves and not by `tracing`'s scopes, in which a caller's span would last as long as the answer
//! that it has set off.

use std::time::Duration;

use opentelemetry::global::{self, BoxedSpan};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use wordhoard_model::{
    AttemptFinished, AttemptSeq, Lane, ModelRef, Outcome, Parameters, RequestFinished, RequestId, Usage,
};

/// Who makes these spans.
const SCOPE: &str = "wordhoard";

/// The span of a request, from its task's start to its end.
#[derive(Clone, Debug)]
pub(crate) struct RequestTrace(Context);

/// The span of a call to a provider.
#[derive(Debug)]
pub(crate) struct AttemptTrace(BoxedSpan);

impl RequestTrace {
    /// Begins it, as part of what called; ends it, at the latest, when dropped.
    pub(crate) fn start(id: RequestId, lane_count: usize) -> Self {
        let builder = SpanBuilder::from_name("request").with_kind(SpanKind::Internal);
        let mut span = builder.start_with_context(&global::tracer(SCOPE), &Context::current());
        if span.is_recording() {
            span.set_attribute(KeyValue::new("wordhoard.request_id", id.to_string()));
            span.set_attribute(KeyValue::new("wordhoard.lanes", lane_count as i64));
        }
        Self(Context::new().with_span(span))
    }

    /// The trace that it belongs to, if somebody collects it.
    pub(crate) fn trace_id(&self) -> Option<String> {
        let span = self.0.span();
        span.is_recording().then(|| span.span_context().trace_id().to_string())
    }

    pub(crate) fn finish(&self, finished: &RequestFinished) {
        let span = self.0.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new("wordhoard.outcome", finished.outcome.as_str()));
            span.set_attribute(KeyValue::new("wordhoard.tokens", int(finished.token_count)));
            if finished.outcome == Outcome::Failed {
                span.set_status(Status::error("not every lane was answered"));
            }
        }
        span.end();
    }
}

impl AttemptTrace {
    pub(crate) fn start(
        request: &RequestTrace,
        id: RequestId,
        (lane, attempt): (Lane, AttemptSeq),
        model: &ModelRef,
        parameters: &Parameters,
    ) -> Self {
        // The name costs an allocation, and so does all else.
        if !request.0.span().is_recording() {
            let builder = SpanBuilder::from_name("chat").with_kind(SpanKind::Client);
            return Self(builder.start_with_context(&global::tracer(SCOPE), &request.0));
        }
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", provider_name(model.provider.as_str())),
            KeyValue::new("gen_ai.request.model", model.model.clone()),
            KeyValue::new("gen_ai.request.stream", true),
            KeyValue::new("wordhoard.request_id", id.to_string()),
            KeyValue::new("wordhoard.provider", model.provider.as_str().to_owned()),
            KeyValue::new("wordhoard.lane", i64::from(lane.0)),
            KeyValue::new("wordhoard.attempt_seq", i64::from(attempt.0)),
        ];
        let max_tokens = parameters.max_tokens.map(i64::from);
        attributes.extend(max_tokens.map(|count| KeyValue::new("gen_ai.request.max_tokens", count)));
        attributes.extend(parameters.temperature.map(|t| KeyValue::new("gen_ai.request.temperature", t)));
        let builder = SpanBuilder::from_name(format!("chat {}", model.model))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        Self(builder.start_with_context(&global::tracer(SCOPE), &request.0))
    }

    pub(crate) fn finish(mut self, finished: &AttemptFinished, first_token: Option<Duration>) {
        let span = &mut self.0;
        if span.is_recording() {
            span.set_attribute(KeyValue::new("wordhoard.outcome", finished.outcome.as_str()));
            let model = finished.answered_by.clone();
            let reason = finished.finish_reason.as_ref().map(|reason| reason.0.clone());
            let first_token = first_token.map(|duration| duration.as_secs_f64());
            span.set_attributes(model.map(|model| KeyValue::new("gen_ai.response.model", model)));
            span.set_attributes(reason.map(|reason| KeyValue::new(FINISH_REASONS, list(reason))));
            span.set_attributes(first_token.map(|s| KeyValue::new(TIME_TO_FIRST_CHUNK, s)));
            span.set_attributes(finished.usage.iter().flat_map(usage));
            if let Some(failure) = &finished.failure {
                span.set_attribute(KeyValue::new("error.type", failure.class.as_str()));
                let status = failure.provider_status.map(i64::from);
                span.set_attributes(status.map(|s| KeyValue::new("http.response.status_code", s)));
                span.set_status(Status::error(failure.class.as_str()));
            }
        }
        span.end();
    }
}

const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";

/// The name that the conventions have for a provider, where they have another one.
fn provider_name(configured: &str) -> String {
    if configured == "google_ai" { "gcp.gemini".to_owned() } else { configured.to_owned() }
}

fn usage(usage: &Usage) -> impl Iterator<Item = KeyValue> + use<> {
    let parts = [
        ("gen_ai.usage.input_tokens", Some(usage.input_tokens)),
        ("gen_ai.usage.output_tokens", Some(usage.output_tokens)),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens),
    ];
    parts.into_iter().filter_map(|(name, count)| Some(KeyValue::new(name, int(count?))))
}

fn list(one: String) -> Value {
    Value::Array(Array::String(vec![StringValue::from(one)]))
}

fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
