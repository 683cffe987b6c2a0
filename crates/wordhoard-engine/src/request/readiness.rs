//! All that comes before a call: the pause, whether the provider may be called, and whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use wordhoard_model::{Failure, FailureClass, ModelRef};
use wordhoard_providers::Provider;

use super::Run;
use super::attempt::latched;
use super::plan::Why;
use crate::calls::{Passage, Permit, Ticket, Turnstile};
use crate::chance;
use crate::hub::AppendError;

/// The base of the pauses between tries (SPEC FD 2: 1.5^n seconds, full jitter).
const BACKOFF_BASE: f64 = 1.5;
/// What is added to the time for which a provider wants to be left alone, so that those who wait do not all arrive in
/// the same moment.
const ARRIVAL_SPREAD: Duration = Duration::from_millis(250);

/// What a lane can do now.
pub(super) enum Ready {
    /// Call.
    Call { provider: Arc<dyn Provider>, turnstile: Arc<Turnstile>, permit: Permit, passage: Passage },
    /// This model cannot be called.
    NotCalled(Failure),
    /// The caller wants no answer any more.
    Cancelled,
    /// The server stops.
    Stopped,
}

/// Waits until the model can be called, or will not be.
pub(super) async fn wait(
    run: &Run,
    model: &ModelRef,
    why: Why,
    ticket: Option<Ticket>,
) -> Result<Ready, AppendError> {
    let ready = async {
        pause(run, why).await;
        admit(run, model, ticket).await
    };
    tokio::select! {
        biased;
        () = run.live.broken().cancelled() => Err(latched(run).await),
        () = run.live.cancelled().cancelled() => Ok(Ready::Cancelled),
        () = run.engine.stop.cancelled() => Ok(Ready::Stopped),
        ready = ready => Ok(ready),
    }
}

async fn pause(run: &Run, why: Why) {
    let pause = match why {
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
}

async fn admit(run: &Run, model: &ModelRef, mut ticket: Option<Ticket>) -> Ready {
    let engine = &run.engine;
    let (Some(provider), Some(turnstile)) =
        (engine.providers.get(&model.provider), engine.turnstiles.get(&model.provider))
    else {
        let message = format!("provider {:?} is not configured on this server", model.provider.as_str());
        return Ready::NotCalled(Failure::new(FailureClass::Unavailable, message));
    };
    let longest_wait = engine.settings.calls.retry.longest_wait;
    let mut waited = Duration::ZERO;
    loop {
        if engine.switches.is_disabled(&model.provider) {
            let failure = Failure::new(FailureClass::Unavailable, "the provider is disabled");
            return Ready::NotCalled(failure);
        }
        if let Some(left) = turnstile.refuses() {
            return Ready::NotCalled(provider_down(model, left));
        }
        if let Some(cooling) = provider.cooling(&model.model) {
            // Nobody waits in the queue for what must not be called yet.
            drop(ticket.take());
            waited += cooling;
            if waited > longest_wait {
                return Ready::NotCalled(cooling_down(model, cooling));
            }
            tokio::time::sleep(cooling + chance::between(Duration::ZERO, ARRIVAL_SPREAD)).await;
            continue;
        }
        let place = ticket.take().unwrap_or_else(|| turnstile.queue_anyway());
        let Some(permit) = place.wait(turnstile.queue_patience()).await else {
            return Ready::NotCalled(overloaded(model, turnstile.queue_patience()));
        };
        // Much may have happened while it waited.
        let has_changed =
            engine.switches.is_disabled(&model.provider) || provider.cooling(&model.model).is_some();
        if has_changed {
            continue;
        }
        return match turnstile.pass() {
            Ok(passage) => {
                let (provider, turnstile) = (Arc::clone(provider), Arc::clone(turnstile));
                Ready::Call { provider, turnstile, permit, passage }
            }
            Err(left) => Ready::NotCalled(provider_down(model, left)),
        };
    }
}

pub(crate) fn provider_down(model: &ModelRef, left: Duration) -> Failure {
    let provider = &model.provider;
    let (message, retry_after_ms) = match left {
        Duration::ZERO => {
            (format!("{provider} failed too often; one call tries just now whether it is back"), None)
        }
        left => {
            let message = format!(
                "{provider} failed too often; it is not called for another {:.1} s",
                left.as_secs_f64()
            );
            (message, Some(millis(left)))
        }
    };
    Failure { retry_after_ms, ..Failure::new(FailureClass::ProviderDown, message) }
}

pub(crate) fn cooling_down(model: &ModelRef, left: Duration) -> Failure {
    let message = format!("{model} wants to be left alone for another {:.1} s", left.as_secs_f64());
    Failure { retry_after_ms: Some(millis(left)), ..Failure::new(FailureClass::RateLimited, message) }
}

pub(crate) fn overloaded(model: &ModelRef, patience: Duration) -> Failure {
    let message = format!("{} is so busy that no turn came within {patience:?}", model.provider);
    Failure::new(FailureClass::Overloaded, message)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
