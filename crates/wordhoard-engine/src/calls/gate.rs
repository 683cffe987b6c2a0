use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use wordhoard_model::{Failure, KeyId, ProviderName};

use super::breaker::{Caller, State};
use super::breakers::{Breakers, Closed, Passes, Verdicts, name_of};
use super::budget::RetryBudget;
use super::slots::{QueueFull, Slot, Slots, Ticket};
use crate::metrics::Metrics;
use crate::settings::{BreakerSettings, CallSettings};
use crate::switches::ProviderState;

/// What stands before one provider.
#[derive(Debug)]
pub(crate) struct ProviderGate {
    provider: ProviderName,
    breakers: Mutex<Breakers>,
    native: Arc<Slots>,
    drop_in: Arc<Slots>,
    budget: Mutex<RetryBudget>,
    queue_patience: Duration,
    metrics: Arc<Metrics>,
    /// Notified whenever the provider's own breaker has changed.
    changed: Arc<Notify>,
    /// Wakes all who wait for a breaker of this provider.
    reopened: Notify,
}

/// Which API a call serves: each has slots of its own, so that neither crowds out the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Prompts of the native API.
    Native,
    /// Calls of the drop-in APIs.
    DropIn,
}

/// A call that is let through. What becomes of it is reported by [`Permit::end`]; dropped before, it counts as nothing.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<ProviderGate>,
    model: String,
    caller: Caller,
    passes: Passes,
    has_ended: bool,
    _slot: Slot,
}

/// What a gate is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Calls that run.
    pub(crate) running: usize,
    /// Calls that wait for their turn.
    pub(crate) waiting: usize,
    /// Calls of the native API that may run at the same time.
    pub(crate) concurrency: usize,
    /// Calls of the drop-in APIs that may.
    pub(crate) drop_in_concurrency: usize,
}

impl ProviderGate {
    pub(super) fn new(
        provider: ProviderName,
        settings: &CallSettings,
        metrics: Arc<Metrics>,
        changed: Arc<Notify>,
    ) -> Self {
        let of_provider = |counts: &std::collections::BTreeMap<ProviderName, usize>| {
            counts.get(&provider).copied().unwrap_or(CallSettings::OTHER_CONCURRENCY)
        };
        let (native, drop_in) =
            (of_provider(&settings.concurrency), of_provider(&settings.drop_in_concurrency));
        let is_without = settings.without_breaker.contains(&provider);
        let failures = if is_without { 0 } else { settings.breaker.failures };
        Self {
            breakers: Mutex::new(Breakers::new(BreakerSettings { failures, ..settings.breaker })),
            native: Slots::new(native, settings.queue_limit),
            drop_in: Slots::new(drop_in, settings.queue_limit),
            budget: Mutex::new(RetryBudget::new(settings.retry)),
            queue_patience: settings.queue_patience,
            provider,
            metrics,
            changed,
            reopened: Notify::new(),
        }
    }

    /// Takes a place in the queue, if there is one.
    pub(crate) fn queue(&self, pool: Pool, key: Option<KeyId>) -> Result<Ticket, QueueFull> {
        self.slots(pool).queue(key)
    }

    /// Takes a place in the queue, for a call of a request that was accepted already.
    pub(crate) fn queue_anyway(&self, pool: Pool, key: Option<KeyId>) -> Ticket {
        self.slots(pool).queue_anyway(key)
    }

    fn slots(&self, pool: Pool) -> &Arc<Slots> {
        match pool {
            Pool::Native => &self.native,
            Pool::DropIn => &self.drop_in,
        }
    }

    /// How long a call may wait for its turn.
    pub(crate) fn queue_patience(&self) -> Duration {
        self.queue_patience
    }

    /// Whether a call to the model would be refused now, and why. Changes nothing.
    pub(crate) fn refuses(&self, model: &str) -> Option<Closed> {
        self.breakers.lock().refuses(model, Instant::now())
    }

    /// Lets a call through that has its turn.
    ///
    /// # Errors
    /// How long none is let through, and the turn.
    pub(crate) fn admit(self: &Arc<Self>, model: &str, caller: Caller, slot: Slot) -> Result<Permit, Closed> {
        let passes = self.with_breakers(|breakers| breakers.ask(model, Instant::now()))?;
        let (gate, model) = (Arc::clone(self), model.to_owned());
        Ok(Permit { gate, model, caller, passes, has_ended: false, _slot: slot })
    }

    /// Ends when a breaker of this provider has changed, or after that time.
    pub(crate) async fn until_changed(&self, at_most: Duration) {
        drop(tokio::time::timeout(at_most, self.reopened.notified()).await);
    }

    /// Takes a retry out of the budget, if there is one left.
    pub(crate) fn take_retry(&self) -> bool {
        self.budget.lock().take_retry(Instant::now())
    }

    /// A call is made that is no retry.
    pub(crate) fn note_call(&self) {
        self.budget.lock().note_call(Instant::now());
    }

    /// Somebody has tried a model by hand.
    pub(crate) fn tried_by_hand(&self, model: &str, failure: Option<&Failure>) {
        self.with_breakers(|breakers| breakers.tried_by_hand(model, failure, Instant::now()));
    }

    /// Forgets what was seen of the provider and its models.
    pub(crate) fn reset(&self) {
        self.with_breakers(Breakers::reset);
    }

    /// Takes up where an earlier run left off.
    pub(crate) fn resume_open(&self, left: Duration) {
        self.with_breakers(|breakers| breakers.resume_open(left, Instant::now()));
    }

    /// The worst state of the provider and its models; failed calls in a row; how long it is open yet.
    pub(crate) fn state(&self) -> (ProviderState, u32, Option<Duration>) {
        let state = self.breakers.lock().worst_state(Instant::now());
        let (failures, left) = match state {
            State::Closed { failures, .. } => (failures, None),
            State::HalfOpen { .. } => (0, None),
            State::Open { since, lasts } => (0, Some(lasts.saturating_sub(since.elapsed()))),
        };
        (name_of(state), failures, left)
    }

    /// Whether the provider's own breaker, which connection errors open, is other than closed.
    pub(super) fn is_cut_off(&self) -> bool {
        !matches!(self.breakers.lock().own_state(), State::Closed { .. })
    }

    /// The state of each model that was called lately.
    pub(crate) fn model_states(&self) -> Vec<(String, ProviderState)> {
        let states = self.breakers.lock().model_states(Instant::now());
        states.into_iter().map(|(model, state)| (model, name_of(state))).collect()
    }

    /// What it is doing.
    pub(crate) fn load(&self) -> Load {
        Load {
            running: self.native.running() + self.drop_in.running(),
            waiting: self.native.waiting() + self.drop_in.waiting(),
            concurrency: self.native.total(),
            drop_in_concurrency: self.drop_in.total(),
        }
    }

    /// Changes the breakers, and reports where the worst state is another one then.
    fn with_breakers<T>(&self, change: impl FnOnce(&mut Breakers) -> T) -> T {
        let (before, after, changed) = {
            let (mut breakers, now) = (self.breakers.lock(), Instant::now());
            let before = name_of(breakers.worst_state(now));
            let changed = change(&mut breakers);
            (before, name_of(breakers.worst_state(now)), changed)
        };
        if before != after {
            let provider = self.provider.as_str();
            let (from, to) = (before.as_str(), after.as_str());
            match after {
                ProviderState::Open => {
                    self.metrics.models.of_provider(&self.provider).breaker_openings.add(1);
                    tracing::warn!(provider, from, to, "a circuit breaker opened: calls failed too often");
                }
                _ => tracing::info!(provider, from, to, "a circuit breaker changed"),
            }
            self.changed.notify_one();
            self.reopened.notify_waiters();
        }
        changed
    }
}

impl Permit {
    /// The call has given its first token.
    pub(crate) fn first_token(&mut self) {
        let (model, passes) = (&self.model, &mut self.passes);
        self.gate.with_breakers(|breakers| breakers.first_token(model, passes));
    }

    /// The call has ended; a failure says how, where it did not succeed.
    pub(crate) fn end(mut self, verdicts: Verdicts, failure: Option<&Failure>) {
        self.report(verdicts, failure);
    }

    fn report(&mut self, verdicts: Verdicts, failure: Option<&Failure>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let (model, passes, caller) = (&self.model, &self.passes, self.caller);
            let now = Instant::now();
            self.gate.with_breakers(|breakers| breakers.end(model, passes, caller, (verdicts, failure), now));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.report(Verdicts::NOTHING, None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use wordhoard_model::{FailureClass, RequestId};

    use super::*;

    fn gate(open_for: Duration) -> Arc<ProviderGate> {
        let mut settings = CallSettings::default();
        settings.breaker.open_for = open_for;
        settings.concurrency = [(ProviderName::new("p").unwrap(), 10_000)].into();
        let provider = ProviderName::new("p").unwrap();
        let metrics = Arc::new(Metrics::new(std::collections::BTreeMap::new()));
        Arc::new(ProviderGate::new(provider, &settings, metrics, Arc::default()))
    }

    fn admit(gate: &Arc<ProviderGate>) -> Result<Permit, Closed> {
        let caller = Caller { request: RequestId::from_bytes([1; 16]), is_retry: false };
        let ticket = gate.queue(Pool::Native, None).unwrap();
        let slot = futures_util::FutureExt::now_or_never(ticket.wait(Duration::ZERO)).flatten().unwrap();
        gate.admit("m", caller, slot)
    }

    /// The machine itself is tested for every history; this is its lock: a thousand callers in the same moment.
    #[test]
    fn half_open_breaker_admits_one_of_a_thousand_callers() {
        let gate = gate(Duration::from_millis(1));
        for round in 0..20 {
            gate.tried_by_hand("m", Some(&Failure::new(FailureClass::ProviderError, "gone")));
            std::thread::sleep(Duration::from_millis(2));
            let (through, start) = (AtomicUsize::new(0), Barrier::new(50));
            let permits = std::thread::scope(|scope| {
                let call = || {
                    start.wait();
                    let admitted: Vec<_> = (0..20).filter_map(|_| admit(&gate).ok()).collect();
                    through.fetch_add(admitted.len(), Ordering::Relaxed);
                    admitted
                };
                let callers: Vec<_> = (0..50).map(|_| scope.spawn(call)).collect();
                callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(through.into_inner(), 1, "round {round}");
            assert_eq!(gate.state().0, ProviderState::HalfOpen);
            // The probe goes away without an end: its place is free again.
            drop(permits);
            let probe = admit(&gate).unwrap();
            assert!(admit(&gate).is_err());
            probe.end(Verdicts::SUCCESS, None);
            assert_eq!(gate.state().0, ProviderState::Closed);
        }
    }
}
