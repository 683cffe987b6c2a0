//! What is told of a request and its attempts: a line of the log each, figures, and a span.

use wordhoard_model::{AttemptFinished, AttemptSeq, Cost, Lane, ModelRef, RequestFinished};
use wordhoard_providers::Recorded;

use super::Run;
use crate::metrics::AttemptMeter;
use crate::trace::AttemptTrace;

/// Watches one attempt.
pub(super) struct AttemptReport<'a> {
    run: &'a Run,
    lane: Lane,
    model: &'a ModelRef,
    meter: AttemptMeter,
    trace: AttemptTrace,
    token_seen: bool,
}

impl<'a> AttemptReport<'a> {
    pub(super) fn start(run: &'a Run, lane: Lane, attempt: AttemptSeq, model: &'a ModelRef) -> Self {
        let parameters = &run.live.prompt().parameters;
        let trace = AttemptTrace::start(&run.trace, run.live.id(), (lane, attempt), model, parameters);
        Self {
            run,
            lane,
            model,
            meter: AttemptMeter::start(&run.engine.metrics, model),
            trace,
            token_seen: false,
        }
    }

    /// So many tokens have come, at once. Whether the first one of the attempt is among them.
    pub(super) fn tokens(&mut self, count: usize) -> bool {
        self.meter.tokens(count as u64);
        let is_first = !self.token_seen;
        self.token_seen = true;
        is_first
    }

    /// The attempt has ended.
    pub(super) fn finish(self, finished: &AttemptFinished) {
        let (failure, usage) = (finished.failure.as_ref(), finished.usage.as_ref());
        tracing::info!(
            request_id = %self.run.live.id(),
            lane = self.lane.0,
            attempt_seq = finished.attempt_seq.0,
            provider = self.model.provider.as_str(),
            model = self.model.model,
            outcome = finished.outcome.as_str(),
            finish_reason = finished.finish_reason.as_ref().map(|reason| reason.0.as_str()),
            tokens = self.run.live.token_count(finished.attempt_seq),
            input_tokens = usage.map(|usage| usage.input_tokens),
            output_tokens = usage.map(|usage| usage.output_tokens),
            cost_usd = finished.cost.map(Cost::usd),
            first_token_ms = self.meter.first_token().map(|duration| duration.as_millis() as u64),
            duration_ms = self.meter.elapsed().as_millis() as u64,
            failure = failure.map(|failure| failure.class.as_str()),
            provider_status = failure.and_then(|failure| failure.provider_status),
            reason = failure.map(|failure| failure.message.as_str()),
            trace_id = self.run.trace.trace_id(),
            "attempt finished"
        );
        self.meter.finish(&self.run.engine.metrics, self.model, finished);
        self.trace.finish(finished, self.meter.first_token());
    }
}

/// The request has ended.
pub(super) fn request_finished(run: &Run, finished: &RequestFinished) {
    let usage = finished.usage.as_ref();
    let accepted_at = run.live.id().accepted_at();
    tracing::info!(
        request_id = %run.live.id(),
        outcome = finished.outcome.as_str(),
        lanes = run.live.created().lanes.len(),
        lanes_completed = finished.lanes_completed,
        attempts = finished.attempt_count,
        tokens = finished.token_count,
        input_tokens = usage.map(|usage| usage.input_tokens),
        output_tokens = usage.map(|usage| usage.output_tokens),
        cost_usd = finished.cost.map(Cost::usd),
        duration_ms = run.live.journal().now().millis_since(accepted_at),
        dropped_fields = Recorded::of(run.live.prompt()).and_then(|recorded| recorded.dropped_list()),
        trace_id = run.trace.trace_id(),
        "request finished"
    );
    run.engine.metrics.requests.add(finished.outcome, 1);
    run.trace.finish(finished);
}
