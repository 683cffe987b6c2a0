//! The way that an answer took, as its headers tell it (SPEC FD 12).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use wordhoard_model::{Cost, Event, EventBody, ModelRef, Timestamp};

const MODEL: HeaderName = HeaderName::from_static("x-wordhoard-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-wordhoard-attempts");
const COST_USD: HeaderName = HeaderName::from_static("x-wordhoard-cost-usd");
const OVERHEAD_MS: HeaderName = HeaderName::from_static("x-wordhoard-overhead-ms");

/// What has happened to a request so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// The model that was called last, as `provider:model`.
    model: Option<String>,
    attempts: u32,
    running: u32,
    /// What the attempts that ended cost; none as long as no cost is known.
    cost: Option<Cost>,
    /// Since when no provider was at work; none while one is.
    idle_since: Option<Timestamp>,
    idle_ms: i64,
    has_ended: bool,
}

impl Route {
    /// Takes the next event in.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.body {
            EventBody::RequestCreated(_) => self.idle_since = Some(event.at),
            EventBody::AttemptStarted(started) => {
                self.count_idle(event.at);
                self.attempts += 1;
                self.running += 1;
                self.model = Some(started.model.to_string());
            }
            EventBody::Token(_) => {}
            EventBody::AttemptFinished(finished) => {
                self.running = self.running.saturating_sub(1);
                if self.running == 0 {
                    self.idle_since = Some(event.at);
                }
                self.cost = match (self.cost, finished.cost) {
                    (Some(so_far), Some(cost)) => Some(so_far.plus(cost)),
                    (so_far, cost) => so_far.or(cost),
                };
            }
            EventBody::RequestFinished(_) => {
                self.count_idle(event.at);
                self.has_ended = true;
            }
        }
    }

    /// Before a model was called, the one that was asked for stands for it.
    pub(super) fn asked_of(self, model: Option<&ModelRef>) -> Self {
        let model = self.model.or_else(|| model.map(ToString::to_string));
        Self { model, ..self }
    }

    fn count_idle(&mut self, until: Timestamp) {
        if let Some(since) = self.idle_since.take() {
            self.idle_ms += (until.as_millis() - since.as_millis()).max(0);
        }
    }

    /// Tells it. The cost is known once the request has ended; the overhead is the time in which no provider was at work.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        let mut add = |name: HeaderName, value: Option<String>| {
            let value = value.and_then(|value| HeaderValue::try_from(value).ok());
            headers.extend(value.map(|value| (name, value)));
        };
        add(MODEL, self.model.clone());
        add(ATTEMPTS, (self.attempts > 0).then(|| self.attempts.to_string()));
        add(COST_USD, self.cost.filter(|_| self.has_ended).map(|cost| cost.to_string()));
        add(OVERHEAD_MS, Some(self.idle_ms.to_string()));
    }
}
