use std::sync::Arc;
use std::time::{Duration, Instant};

use wordhoard_model::{AttemptFinished, ModelRef};

use super::{Inside, Metrics, ModelMetrics};

/// Times one call to a provider.
#[derive(Debug)]
pub(crate) struct AttemptMeter {
    model: Arc<ModelMetrics>,
    started: Instant,
    first_token: Option<Duration>,
    /// When the newest token came.
    newest: Instant,
    _in_flight: Inside,
}

impl AttemptMeter {
    /// The call begins.
    pub(crate) fn start(metrics: &Metrics, model: &ModelRef) -> Self {
        let (provider, model) = metrics.models.of(model);
        let started = Instant::now();
        Self {
            model: Arc::clone(model),
            started,
            first_token: None,
            newest: started,
            _in_flight: provider.in_flight.enter(),
        }
    }

    /// A token has come.
    pub(crate) fn tokens(&mut self, count: u64) {
        let now = Instant::now();
        let since = now - self.newest;
        if self.first_token.is_none() {
            self.first_token = Some(since);
            self.model.first_token.observe(since);
        } else {
            self.model.between_tokens.observe(since);
        }
        // The others of a frame came with its first.
        self.model.between_tokens.observe_times(Duration::ZERO, count.saturating_sub(1));
        self.newest = now;
        self.model.tokens.add(count);
    }

    /// From the call to its first token, if one came.
    pub(crate) fn first_token(&self) -> Option<Duration> {
        self.first_token
    }

    /// For how long it has been under way.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The call has ended.
    pub(crate) fn finish(&self, metrics: &Metrics, model: &ModelRef, finished: &AttemptFinished) {
        self.model.duration.observe(self.started.elapsed());
        self.model.attempts.add(finished.outcome, 1);
        if let Some(usage) = finished.usage {
            self.model.input_tokens.add(usage.input_tokens);
            self.model.output_tokens.add(usage.output_tokens);
        }
        if let Some(cost) = finished.cost {
            metrics.models.of(model).0.cost_nano_usd.add(cost.nano_usd());
        }
        if let Some(failure) = &finished.failure {
            metrics.models.of(model).0.failures.add(failure.class, 1);
        }
    }
}
