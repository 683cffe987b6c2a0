//! A circuit breaker, of a provider or of one of its models, as a pure machine: what is reported to it and the time decide,
//! nothing else.
//!
//! ```text
//!            failed calls in a row, of at least two requests
//!   CLOSED ───────────────────────────────► OPEN
//!     ▲                                      │ open_for has passed, somebody asks
//!     │ the probe's first token              ▼
//!     └────────────────────────────────── HALF-OPEN ──► OPEN, where the probe fails
//! ```
//!
//! A call counts once, however often it is retried (SPEC FD 2). Each change of state begins a new epoch. Whoever is let through
//! carries the epoch of that moment, and what becomes of the call counts only while it lasts: so the success of a call from
//! before the opening never closes it, and its failure never opens it again.

use std::time::Duration;

use tokio::time::Instant;
use wordhoard_model::RequestId;

use crate::settings::BreakerSettings;

#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: State,
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Calls go through.
    Closed {
        /// Failed calls since the last success.
        failures: u32,
        /// Whose those were.
        callers: Callers,
    },
    /// No call goes through.
    Open {
        /// Since when.
        since: Instant,
        /// For how long.
        lasts: Duration,
    },
    /// One call goes through, to try.
    HalfOpen {
        /// Whether that one is under way.
        probing: bool,
    },
}

/// Whose calls failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callers {
    /// Nobody's.
    None,
    /// Those of one request.
    One(RequestId),
    /// Those of several requests.
    Several,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The request.
    pub(crate) request: RequestId,
    /// Whether its call was made before, and failed.
    pub(crate) is_retry: bool,
}

/// The right to make one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass {
    epoch: u64,
    is_probe: bool,
}

/// What a call, or its absence, says about its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It gave a whole answer.
    Success,
    /// It refused the request: it is there, but no better than before.
    Answered,
    /// It failed in a way that counts.
    Failure,
    /// Nothing: the call was cancelled, or failed for a reason of ours.
    Nothing,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::CLOSED, epoch: 0 }
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// How long none will be let through; while somebody probes that cannot be told, and is zero.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.state {
            State::Closed { .. } => return Ok(Pass { epoch: self.epoch, is_probe: false }),
            State::HalfOpen { probing: true } => return Err(Duration::ZERO),
            State::HalfOpen { probing: false } => {}
            State::Open { since, lasts } => {
                // A clock that jumped back must not keep it open for longer than it lasts.
                let since = since.min(now);
                self.state = State::Open { since, lasts };
                let left = lasts.saturating_sub(now.saturating_duration_since(since));
                if left > Duration::ZERO {
                    return Err(left);
                }
                self.epoch += 1;
            }
        }
        self.state = State::HalfOpen { probing: true };
        Ok(Pass { epoch: self.epoch, is_probe: true })
    }

    /// The call has given its first token. A probe has done what it was for: others go through again. But the
    /// provider is on trial: the next failure, the probe's own included, opens at once.
    pub(super) fn first_token(&mut self, pass: &mut Pass) {
        if self.is_current(pass) && pass.is_probe {
            self.epoch += 1;
            let failures = self.settings.failures.saturating_sub(1);
            self.state = State::Closed { failures, callers: Callers::Several };
            *pass = Pass { epoch: self.epoch, is_probe: false };
        }
    }

    /// The call has ended.
    pub(super) fn end(&mut self, pass: &Pass, caller: Caller, verdict: Verdict, now: Instant) {
        if !self.is_current(pass) {
            return;
        }
        match (verdict, pass.is_probe) {
            (Verdict::Nothing, _) => self.release(pass),
            (Verdict::Success | Verdict::Answered, true) => self.close(),
            (Verdict::Success, false) => self.state = State::CLOSED,
            (Verdict::Answered, false) => {}
            (Verdict::Failure, true) => self.open(now, self.settings.open_for),
            (Verdict::Failure, false) if caller.is_retry => {}
            (Verdict::Failure, false) => self.count_failure(caller.request, now),
        }
    }

    /// The call is not made after all.
    pub(super) fn release(&mut self, pass: &Pass) {
        if self.is_current(pass) && pass.is_probe {
            self.state = State::HalfOpen { probing: false };
        }
    }

    /// Somebody has tried the provider by hand, outside of all calls.
    pub(super) fn tried_by_hand(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::Success | Verdict::Answered => self.close(),
            Verdict::Failure => self.open(now, self.settings.open_for),
            Verdict::Nothing => {}
        }
    }

    /// Closes it, whatever it was.
    pub(super) fn reset(&mut self) {
        self.close();
    }

    /// Takes up where an earlier run left off: open for as long as is left.
    pub(super) fn resume_open(&mut self, left: Duration, now: Instant) {
        if self.state == State::CLOSED {
            self.open(now, left.min(self.settings.open_for));
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    fn count_failure(&mut self, request: RequestId, now: Instant) {
        if let State::Closed { failures, callers } = &mut self.state {
            *failures = failures.saturating_add(1);
            *callers = callers.with(request);
            if *failures >= self.settings.failures && *callers == Callers::Several {
                self.open(now, self.settings.open_for);
            }
        }
    }

    fn open(&mut self, now: Instant, lasts: Duration) {
        if self.settings.failures == 0 {
            // It is switched off. A state other than closed cannot be reached, but let that not depend on it.
            return self.close();
        }
        self.state = State::Open { since: now, lasts };
        self.epoch += 1;
    }

    fn close(&mut self) {
        self.state = State::CLOSED;
        self.epoch += 1;
    }

    fn is_current(&self, pass: &Pass) -> bool {
        pass.epoch == self.epoch
    }
}

impl State {
    /// Closed, without a failure.
    pub(super) const CLOSED: Self = Self::Closed { failures: 0, callers: Callers::None };
}

impl Callers {
    fn with(self, request: RequestId) -> Self {
        match self {
            Self::None => Self::One(request),
            Self::One(other) if other == request => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

#[cfg(test)]
mod tests;
