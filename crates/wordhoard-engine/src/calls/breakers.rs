use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use wordhoard_model::{Failure, FailureClass};

use super::breaker::{Breaker, Caller, Pass, State, Verdict};
use crate::settings::BreakerSettings;
use crate::switches::ProviderState;

/// Names of models come from callers; past so many, those without a failure are forgotten.
const MAX_MODELS: usize = 1_000;
/// How long a model that was called stands in the state of its provider (SPEC FD 6).
const RECENT: Duration = Duration::from_secs(3_600);

/// The breakers of one provider: one of its own, which connection errors open, and one for each model.
#[derive(Debug)]
pub(super) struct Breakers {
    settings: BreakerSettings,
    own: Guarded,
    models: HashMap<String, Guarded>,
}

/// A breaker with what it was told last.
#[derive(Debug)]
struct Guarded {
    breaker: Breaker,
    /// The failure that counted last.
    failure: Option<Failure>,
    called_at: Instant,
}

/// The right to make one call to a model.
#[derive(Debug)]
pub(super) struct Passes {
    own: Pass,
    of_model: Pass,
}

/// Why a call may not be made now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Closed {
    /// How long none may be made; zero while one probes.
    pub(crate) left: Duration,
    /// The failure of the provider that led to it, where it is known.
    pub(crate) failure: Option<Failure>,
}

/// What an ended call says: of its provider, and of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdicts {
    own: Verdict,
    of_model: Verdict,
}

impl Verdicts {
    /// Of a complete answer.
    pub(crate) const SUCCESS: Self = Self { own: Verdict::Success, of_model: Verdict::Success };
    /// Of a call that was cancelled.
    pub(crate) const NOTHING: Self = Self { own: Verdict::Nothing, of_model: Verdict::Nothing };

    /// Of a failed call (SPEC FD 2): timeouts, connection errors and 5xx count, and so do broken and senseless streams.
    /// Connection errors concern the provider as a whole. What a provider refuses, or asks to come back for, does not count.
    pub(crate) fn of(failure: &Failure) -> Self {
        let (own, of_model) = match failure.class {
            FailureClass::Connect | FailureClass::ConnectTimeout => (Verdict::Failure, Verdict::Nothing),
            FailureClass::FirstTokenTimeout
            | FailureClass::StallTimeout
            | FailureClass::ProviderError
            | FailureClass::StreamError
            | FailureClass::Cut
            | FailureClass::Malformed => (Verdict::Answered, Verdict::Failure),
            FailureClass::RateLimited
            | FailureClass::ProviderOverloaded
            | FailureClass::OutOfCredit
            | FailureClass::Unauthorized
            | FailureClass::CredentialRefused
            | FailureClass::NotFound
            | FailureClass::BadRequest
            | FailureClass::ContextLength
            | FailureClass::ContentPolicy => (Verdict::Answered, Verdict::Answered),
            // The answer took too long, which a long one may.
            FailureClass::TotalTimeout
            | FailureClass::Unavailable
            | FailureClass::ProviderDown
            | FailureClass::Overloaded
            | FailureClass::Unsupported
            | FailureClass::Storage
            | FailureClass::ServerStopped
            | FailureClass::Internal => (Verdict::Nothing, Verdict::Nothing),
        };
        Self { own, of_model }
    }
}

impl Breakers {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, own: Guarded::new(settings), models: HashMap::new() }
    }

    /// Asks to call a model.
    pub(super) fn ask(&mut self, model: &str, now: Instant) -> Result<Passes, Closed> {
        let own = self.own.ask(now)?;
        match self.of_model(model).ask(now) {
            Ok(of_model) => Ok(Passes { own, of_model }),
            Err(closed) => {
                // Nobody is called by it.
                self.own.breaker.release(&own);
                Err(closed)
            }
        }
    }

    /// Whether a call to the model would be refused now. Changes nothing.
    pub(super) fn refuses(&self, model: &str, now: Instant) -> Option<Closed> {
        let of_model = || self.models.get(model)?.refuses(now);
        self.own.refuses(now).or_else(of_model)
    }

    pub(super) fn first_token(&mut self, model: &str, passes: &mut Passes) {
        self.own.breaker.first_token(&mut passes.own);
        self.of_model(model).breaker.first_token(&mut passes.of_model);
    }

    pub(super) fn end(
        &mut self,
        model: &str,
        passes: &Passes,
        caller: Caller,
        (verdicts, failure): (Verdicts, Option<&Failure>),
        now: Instant,
    ) {
        self.own.end(&passes.own, caller, (verdicts.own, failure), now);
        self.of_model(model).end(&passes.of_model, caller, (verdicts.of_model, failure), now);
    }

    /// Somebody has tried a model by hand, outside of all calls.
    pub(super) fn tried_by_hand(&mut self, model: &str, failure: Option<&Failure>, now: Instant) {
        let verdicts = failure.map_or(Verdicts::SUCCESS, Verdicts::of);
        self.own.tried_by_hand(verdicts.own, failure, now);
        self.of_model(model).tried_by_hand(verdicts.of_model, failure, now);
    }

    /// Closes all.
    pub(super) fn reset(&mut self) {
        self.own.breaker.reset();
        self.models.clear();
    }

    pub(super) fn resume_open(&mut self, left: Duration, now: Instant) {
        self.own.breaker.resume_open(left, now);
    }

    /// The state of the provider's own breaker.
    pub(super) fn own_state(&self) -> State {
        self.own.breaker.state()
    }

    /// The worst state of the provider and of its models that were called lately.
    pub(super) fn worst_state(&self, now: Instant) -> State {
        let recent =
            self.models.values().filter(|model| now.saturating_duration_since(model.called_at) < RECENT);
        let states = recent.map(|model| model.breaker.state());
        states.fold(self.own_state(), |worst, state| if rank(state) > rank(worst) { state } else { worst })
    }

    /// The state of each model that was called lately.
    pub(super) fn model_states(&self, now: Instant) -> Vec<(String, State)> {
        let recent =
            self.models.iter().filter(|(_, model)| now.saturating_duration_since(model.called_at) < RECENT);
        let mut states: Vec<_> = recent.map(|(name, model)| (name.clone(), model.breaker.state())).collect();
        states.sort_by(|one, other| one.0.cmp(&other.0));
        states
    }

    fn of_model(&mut self, model: &str) -> &mut Guarded {
        if self.models.len() >= MAX_MODELS && !self.models.contains_key(model) {
            self.models.retain(|_, model| model.breaker.state() != State::CLOSED);
        }
        self.models.entry(model.to_owned()).or_insert_with(|| Guarded::new(self.settings))
    }
}

impl Guarded {
    fn new(settings: BreakerSettings) -> Self {
        Self { breaker: Breaker::new(settings), failure: None, called_at: Instant::now() }
    }

    fn ask(&mut self, now: Instant) -> Result<Pass, Closed> {
        self.called_at = now;
        let failure = &self.failure;
        self.breaker.ask(now).map_err(|left| Closed { left, failure: failure.clone() })
    }

    fn refuses(&self, now: Instant) -> Option<Closed> {
        let closed = |left| Some(Closed { left, failure: self.failure.clone() });
        match self.breaker.state() {
            State::Closed { .. } | State::HalfOpen { probing: false } => None,
            State::HalfOpen { probing: true } => closed(Duration::ZERO),
            State::Open { since, lasts } => {
                let left = lasts.saturating_sub(now.saturating_duration_since(since));
                if left > Duration::ZERO { closed(left) } else { None }
            }
        }
    }

    fn tried_by_hand(&mut self, verdict: Verdict, failure: Option<&Failure>, now: Instant) {
        self.failure = failure.cloned().or(self.failure.take());
        self.breaker.tried_by_hand(verdict, now);
    }

    fn end(
        &mut self,
        pass: &Pass,
        caller: Caller,
        (verdict, failure): (Verdict, Option<&Failure>),
        now: Instant,
    ) {
        if verdict == Verdict::Failure {
            self.failure = failure.cloned();
        }
        self.breaker.end(pass, caller, verdict, now);
    }
}

fn rank(state: State) -> u8 {
    match state {
        State::Closed { .. } => 0,
        State::HalfOpen { .. } => 1,
        State::Open { .. } => 2,
    }
}

/// The name of a state, as health shows it.
pub(super) fn name_of(state: State) -> ProviderState {
    match state {
        State::Closed { .. } => ProviderState::Closed,
        State::Open { .. } => ProviderState::Open,
        State::HalfOpen { .. } => ProviderState::HalfOpen,
    }
}

#[cfg(test)]
mod tests {
    use wordhoard_model::RequestId;

    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings { failures: 3, open_for: Duration::from_secs(30) };

    fn fail(breakers: &mut Breakers, model: &str, request: u8, class: FailureClass) {
        let now = Instant::now();
        let caller = Caller { request: RequestId::from_bytes([request; 16]), is_retry: false };
        let passes = breakers.ask(model, now).unwrap();
        let failure = Failure::new(class, "it broke");
        breakers.end(model, &passes, caller, (Verdicts::of(&failure), Some(&failure)), now);
    }

    #[test]
    fn failing_model_closes_no_other() {
        let mut breakers = Breakers::new(SETTINGS);
        (1..4).for_each(|request| fail(&mut breakers, "bad", request, FailureClass::ProviderError));
        let closed = breakers.refuses("bad", Instant::now()).unwrap();
        assert_eq!(closed.failure.unwrap().message, "it broke");
        assert_eq!(breakers.refuses("good", Instant::now()), None);
        assert!(matches!(breakers.worst_state(Instant::now()), State::Open { .. }));
        assert_eq!(breakers.own_state(), State::CLOSED);
    }

    #[test]
    fn connection_errors_close_the_provider() {
        let mut breakers = Breakers::new(SETTINGS);
        for (request, model) in (1..4).zip(["a", "b", "c"]) {
            fail(&mut breakers, model, request, FailureClass::Connect);
        }
        assert!(breakers.refuses("d", Instant::now()).is_some());
    }

    #[test]
    fn rate_limits_and_refusals_close_nothing() {
        let mut breakers = Breakers::new(SETTINGS);
        for class in [FailureClass::RateLimited, FailureClass::ProviderOverloaded, FailureClass::BadRequest] {
            (1..9).for_each(|request| fail(&mut breakers, "m", request, class));
        }
        assert_eq!(breakers.refuses("m", Instant::now()), None);
    }

    #[test]
    fn refused_model_leaves_the_providers_probe_free() {
        let mut breakers = Breakers::new(SETTINGS);
        (1..4).for_each(|request| fail(&mut breakers, "bad", request, FailureClass::Cut));
        breakers.own.breaker.resume_open(Duration::ZERO, Instant::now());
        assert!(breakers.ask("bad", Instant::now()).is_err());
        assert!(breakers.ask("good", Instant::now()).is_ok(), "the provider can still be tried");
    }
}
