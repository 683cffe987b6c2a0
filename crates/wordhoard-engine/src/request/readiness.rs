//! All that comes before a call: the pause, whether the provider may be called, and whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wordhoard_model::{Failure, FailureClass, ModelRef};
use wordhoard_providers::{Provider, Resting};

use super::attempt::latched;
use super::lane::Turn;
use super::plan::Why;
use super::{Run, pool_of};
use crate::calls::{Caller, Closed, Permit, ProviderGate, Ticket};
use crate::chance;
use crate::hub::AppendError;

/// The base of the pauses between tries (SPEC FD 2: 1.5^n seconds, full jitter).
const BACKOFF_BASE: f64 = 1.5;
/// What is added to the time for which a provider wants to be left alone, so that those who wait do not all arrive in the same
/// moment.
const ARRIVAL_SPREAD: Duration = Duration::from_millis(250);
/// How long a lane that waits for a breaker or for the budget of retries waits before it looks again, at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a lane can do now.
pub(super) enum Ready {
    /// Call.
    Call { provider: Arc<dyn Provider>, gate: Arc<ProviderGate>, permit: Permit },
    /// This model cannot be called.
    NotCalled(Failure),
    /// The caller wants no answer any more.
    Cancelled,
    /// The server stops.
    Stopped,
}

/// Waits until the model can be called, or will not be.
pub(super) async fn wait(run: &Run, turn: &Turn, ticket: Option<Ticket>) -> Result<Ready, AppendError> {
    let ready = async {
        pause(run, turn).await;
        admit(run, turn, ticket).await
    };
    tokio::select! {
        biased;
        () = run.live.broken().cancelled() => Err(latched(run).await),
        () = run.live.cancelled().cancelled() => Ok(Ready::Cancelled),
        () = run.engine.stop.cancelled() => Ok(Ready::Stopped),
        ready = ready => Ok(ready),
    }
}

async fn pause(run: &Run, turn: &Turn) {
    let pause = match turn.step.why {
        Why::First | Why::Fallback { at_once: true } => return,
        Why::Fallback { at_once: false } => {
            let (shortest, longest) = run.engine.settings.calls.fallback_jitter;
            chance::between(shortest, longest)
        }
        Why::Retry { nth, at_least } => {
            let longest =
                Duration::from_secs_f64(BACKOFF_BASE.powi(i32::try_from(nth.min(30)).unwrap_or(30)));
            let backoff = chance::between(Duration::ZERO, longest);
            match at_least {
                Duration::ZERO => backoff,
                asked => backoff.max(asked + chance::between(Duration::ZERO, ARRIVAL_SPREAD)),
            }
        }
    };
    tokio::time::sleep(pause).await;
    if turn.waits_for_budget
        && let Some(gate) = run.engine.gates.get(&turn.model.provider)
    {
        while !gate.take_retry() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// A lane that has another candidate waits for nothing but its turn. One that has none waits without a turn: for a rest that is
/// short enough, and for a breaker as long as for a first token (SPEC FD 2).
async fn admit(run: &Run, turn: &Turn, mut ticket: Option<Ticket>) -> Ready {
    let (engine, model) = (&run.engine, &turn.model);
    let (Some(provider), Some(gate)) =
        (engine.providers.get(&model.provider), engine.gates.get(&model.provider))
    else {
        let message = format!("provider {:?} is not configured on this server", model.provider.as_str());
        return Ready::NotCalled(Failure::new(FailureClass::Unavailable, message));
    };
    let is_retry = matches!(turn.step.why, Why::Retry { .. });
    let caller = Caller { request: run.live.id(), is_retry };
    let mut patience = Patience::new(run, turn, provider.first_token_limit());
    loop {
        if engine.switches.is_disabled(&model.provider) {
            return Ready::NotCalled(Failure::new(FailureClass::Unavailable, "the provider is disabled"));
        }
        // Nobody waits in the queue for what must not be called yet.
        if let Some(resting) = provider.resting(&model.model) {
            drop(ticket.take());
            match patience.for_rest(resting) {
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(failure) => return Ready::NotCalled(failure),
            }
            continue;
        }
        if let Some(closed) = gate.refuses(&model.model) {
            drop(ticket.take());
            match patience.for_breaker(model, closed) {
                Ok(wait) => gate.until_changed(wait).await,
                Err(failure) => return Ready::NotCalled(failure),
            }
            continue;
        }
        let key = run.live.created().key;
        let place = ticket.take().unwrap_or_else(|| gate.queue_anyway(pool_of(run.live.prompt()), key));
        let Some(slot) = place.wait(gate.queue_patience()).await else {
            return Ready::NotCalled(overloaded(model, gate.queue_patience()));
        };
        // Much may have happened while it waited.
        if engine.switches.is_disabled(&model.provider) || provider.resting(&model.model).is_some() {
            continue;
        }
        if let Ok(permit) = gate.admit(&model.model, caller, slot) {
            return Ready::Call { provider: Arc::clone(provider), gate: Arc::clone(gate), permit };
        }
    }
}

/// How long a lane waits for a model that must not be called.
struct Patience {
    /// Whether another model can answer.
    has_alternative: bool,
    longest_rest: Duration,
    rested: Duration,
    /// Until when it waits for a breaker.
    breaker_until: Instant,
}

impl Patience {
    fn new(run: &Run, turn: &Turn, first_token_limit: Duration) -> Self {
        Self {
            has_alternative: turn.has_alternative,
            longest_rest: run.engine.settings.calls.retry.longest_wait,
            rested: Duration::ZERO,
            breaker_until: Instant::now() + first_token_limit,
        }
    }

    /// How long to wait for the rest, or what the caller gets instead: the provider's own error, with the time that is left.
    fn for_rest(&mut self, resting: Resting) -> Result<Duration, Failure> {
        self.rested += resting.left;
        if self.has_alternative || self.rested > self.longest_rest {
            return Err(resting.into_failure());
        }
        Ok(resting.left + chance::between(Duration::ZERO, ARRIVAL_SPREAD))
    }

    fn for_breaker(&self, model: &ModelRef, closed: Closed) -> Result<Duration, Failure> {
        let left = self.breaker_until.saturating_duration_since(Instant::now());
        if self.has_alternative || left.is_zero() {
            return Err(provider_down(model, closed));
        }
        let look = if closed.left.is_zero() { LOOK_INTERVAL } else { closed.left.min(LOOK_INTERVAL) };
        Ok(look.min(left))
    }
}

/// Why a model was not called whose breaker is open: in the words of the failure that opened it.
pub(crate) fn provider_down(model: &ModelRef, closed: Closed) -> Failure {
    let retry_after_ms = (!closed.left.is_zero()).then(|| millis(closed.left));
    let message = match &closed.failure {
        Some(failure) => failure.message.clone(),
        None => format!("{model} fails"),
    };
    let provider_status = closed.failure.and_then(|failure| failure.provider_status);
    Failure { provider_status, retry_after_ms, ..Failure::new(FailureClass::ProviderDown, message) }
}

pub(crate) fn overloaded(model: &ModelRef, patience: Duration) -> Failure {
    let message = format!("{} is so busy that no turn came within {patience:?}", model.provider);
    Failure::new(FailureClass::Overloaded, message)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
