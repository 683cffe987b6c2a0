use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use wordhoard_model::{Failure, FailureClass, ProviderName};

use super::breaker::{Breaker, Pass, State, Verdict};
use super::budget::RetryBudget;
use super::permits::{Permits, QueueFull, Ticket};
use crate::metrics::Metrics;
use crate::settings::{BreakerSettings, CallSettings, RetrySettings};
use crate::switches::ProviderState;

/// What stands before one provider.
#[derive(Debug)]
pub(crate) struct Turnstile {
    provider: ProviderName,
    breaker: Mutex<Breaker>,
    permits: Arc<Permits>,
    budget: Mutex<RetryBudget>,
    retry: RetrySettings,
    queue_patience: Duration,
    metrics: Arc<Metrics>,
    changed: Arc<Notify>,
}

/// A call that was let through. What becomes of it is told by [`Passage::end`]; dropped before, it counts as nothing.
#[derive(Debug)]
pub(crate) struct Passage {
    turnstile: Arc<Turnstile>,
    pass: Pass,
    ended: bool,
}

impl Turnstile {
    pub(super) fn new(
        provider: ProviderName,
        settings: &CallSettings,
        metrics: Arc<Metrics>,
        changed: Arc<Notify>,
    ) -> Self {
        let concurrency =
            settings.concurrency.get(&provider).copied().unwrap_or(CallSettings::OTHER_CONCURRENCY);
        let is_without = settings.without_breaker.contains(&provider);
        let failures = if is_without { 0 } else { settings.breaker.failures };
        let breaker = BreakerSettings { failures, ..settings.breaker };
        Self {
            breaker: Mutex::new(Breaker::new(breaker)),
            permits: Permits::new(concurrency, settings.queue_limit),
            budget: Mutex::new(RetryBudget::new(settings.retry)),
            retry: settings.retry,
            queue_patience: settings.queue_patience,
            provider,
            metrics,
            changed,
        }
    }

    /// Takes a place in the queue, if there is one.
    pub(crate) fn queue(&self) -> Result<Ticket, QueueFull> {
        self.permits.queue()
    }

    /// Takes a place in the queue, for a call of a request that was accepted already.
    pub(crate) fn queue_anyway(&self) -> Ticket {
        self.permits.queue_anyway()
    }

    /// How long a call may wait for its turn.
    pub(crate) fn queue_patience(&self) -> Duration {
        self.queue_patience
    }

    /// Whether a call would be refused now, and how long that lasts. Changes nothing.
    pub(crate) fn refuses(&self) -> Option<Duration> {
        match self.breaker.lock().state() {
            State::Closed { .. } | State::HalfOpen { probing: false } => None,
            State::HalfOpen { probing: true } => Some(Duration::ZERO),
            State::Open { since, lasts } => {
                let left = lasts.saturating_sub(since.elapsed());
                (left > Duration::ZERO).then_some(left)
            }
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// How long none is let through.
    pub(crate) fn pass(self: &Arc<Self>) -> Result<Passage, Duration> {
        let pass = self.with_breaker(|breaker| breaker.ask(Instant::now()))?;
        Ok(Passage { turnstile: Arc::clone(self), pass, ended: false })
    }

    /// Takes a retry out of the budget, if there is one left.
    pub(crate) fn take_retry(&self) -> bool {
        self.budget.lock().take_retry(Instant::now())
    }

    /// A call is made that is no retry.
    pub(crate) fn note_call(&self) {
        self.budget.lock().note_call(Instant::now());
    }

    /// Somebody has tried the provider by hand.
    pub(crate) fn tried_by_hand(&self, failure: Option<&Failure>) {
        let verdict = failure.map_or(Verdict::Success, |failure| self.verdict_of(failure));
        self.with_breaker(|breaker| breaker.tried_by_hand(verdict, Instant::now()));
    }

    /// Forgets what was seen of the provider.
    pub(crate) fn reset(&self) {
        self.with_breaker(Breaker::reset);
    }

    /// Takes up where an earlier run left off.
    pub(crate) fn resume_open(&self, left: Duration) {
        self.with_breaker(|breaker| breaker.resume_open(left, Instant::now()));
    }

    /// Its state; failures in a row; how long it is open yet.
    pub(crate) fn state(&self) -> (ProviderState, u32, Option<Duration>) {
        match self.breaker.lock().state() {
            State::Closed { failures } => (ProviderState::Closed, failures, None),
            State::HalfOpen { .. } => (ProviderState::HalfOpen, 0, None),
            State::Open { since, lasts } => {
                (ProviderState::Open, 0, Some(lasts.saturating_sub(since.elapsed())))
            }
        }
    }

    /// Calls that run, that wait, and that may run.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        (self.permits.running(), self.permits.waiting(), self.permits.total())
    }

    /// What a failed call says about its provider (SPEC FD 2): timeouts, connection errors, 429 and 5xx count; so do
    /// broken and senseless streams. Other 4xx do not.
    pub(crate) fn verdict_of(&self, failure: &Failure) -> Verdict {
        let asked_to_wait = failure.retry_after_ms.map(Duration::from_millis);
        match failure.class {
            // It says itself that it will be away for longer than anybody would wait.
            FailureClass::ProviderError
                if failure.provider_status == Some(503)
                    && asked_to_wait.is_some_and(|wait| wait > self.retry.longest_wait) =>
            {
                Verdict::Down(asked_to_wait.unwrap_or_default().min(LONGEST_DOWN))
            }
            FailureClass::Connect
            | FailureClass::ConnectTimeout
            | FailureClass::FirstTokenTimeout
            | FailureClass::StallTimeout
            | FailureClass::RateLimited
            | FailureClass::ProviderError
            | FailureClass::StreamError
            | FailureClass::Cut
            | FailureClass::Malformed => Verdict::Failure,
            FailureClass::Unauthorized
            | FailureClass::NotFound
            | FailureClass::BadRequest
            | FailureClass::ContextLength
            | FailureClass::ContentPolicy => Verdict::Answered,
            // The whole took too long, which a long answer may.
            FailureClass::TotalTimeout
            | FailureClass::Unavailable
            | FailureClass::ProviderDown
            | FailureClass::Overloaded
            | FailureClass::Unsupported
            | FailureClass::Storage
            | FailureClass::ServerStopped
            | FailureClass::Internal => Verdict::Nothing,
        }
    }

    /// Changes the breaker, and tells where its state is another one then.
    fn with_breaker<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let (before, after, changed) = {
            let mut breaker = self.breaker.lock();
            let before = name_of(breaker.state());
            let changed = change(&mut breaker);
            (before, name_of(breaker.state()), changed)
        };
        if before != after {
            let provider = self.provider.as_str();
            let (from, to) = (before.as_str(), after.as_str());
            match after {
                ProviderState::Open => {
                    self.metrics.models.of_provider(&self.provider).breaker_openings.add(1);
                    tracing::warn!(
                        provider,
                        from,
                        to,
                        "a provider failed too often; it is left alone for a while"
                    );
                }
                _ => tracing::info!(provider, from, to, "the breaker of a provider has changed"),
            }
            self.changed.notify_one();
        }
        changed
    }
}

/// The longest time for which a provider's own word keeps its breaker open.
const LONGEST_DOWN: Duration = Duration::from_secs(600);

fn name_of(state: State) -> ProviderState {
    match state {
        State::Closed { .. } => ProviderState::Closed,
        State::Open { .. } => ProviderState::Open,
        State::HalfOpen { .. } => ProviderState::HalfOpen,
    }
}

impl Passage {
    /// The call has given its first token.
    pub(crate) fn first_token(&mut self) {
        let pass = &mut self.pass;
        self.turnstile.with_breaker(|breaker| breaker.first_token(pass));
    }

    /// The call has ended; a failure says how, where it did not succeed.
    pub(crate) fn end(mut self, verdict: Verdict) {
        self.tell(verdict);
    }

    /// What a failed call says about its provider.
    pub(crate) fn verdict_of(&self, failure: &Failure) -> Verdict {
        self.turnstile.verdict_of(failure)
    }

    fn tell(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.ended, true) {
            let pass = &self.pass;
            self.turnstile.with_breaker(|breaker| breaker.end(pass, verdict, Instant::now()));
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.tell(Verdict::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn turnstile(open_for: Duration) -> Arc<Turnstile> {
        let mut settings = CallSettings::default();
        settings.breaker.open_for = open_for;
        let provider = ProviderName::new("p").unwrap();
        let metrics = Arc::new(Metrics::new(std::collections::BTreeMap::new()));
        Arc::new(Turnstile::new(provider, &settings, metrics, Arc::default()))
    }

    /// The machine itself is tested for every history; this is its lock: a thousand callers in the same moment.
    #[test]
    fn of_a_thousand_callers_who_race_into_half_open_one_gets_through() {
        let turnstile = turnstile(Duration::from_millis(1));
        for round in 0..20 {
            turnstile.tried_by_hand(Some(&Failure::new(FailureClass::Connect, "gone")));
            std::thread::sleep(Duration::from_millis(2));
            let (through, start) = (AtomicUsize::new(0), Barrier::new(50));
            let passages = std::thread::scope(|scope| {
                let call = || {
                    start.wait();
                    let passed: Vec<_> = (0..20).filter_map(|_| turnstile.pass().ok()).collect();
                    through.fetch_add(passed.len(), Ordering::Relaxed);
                    passed
                };
                let callers: Vec<_> = (0..50).map(|_| scope.spawn(call)).collect();
                callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(through.into_inner(), 1, "round {round}");
            assert_eq!(turnstile.state().0, ProviderState::HalfOpen);
            // The probe goes away without an end: its place is free again.
            drop(passages);
            let probe = turnstile.pass().unwrap();
            assert!(turnstile.pass().is_err());
            probe.end(Verdict::Success);
            assert_eq!(turnstile.state().0, ProviderState::Closed);
        }
    }
}
