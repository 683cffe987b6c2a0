//! The circuit breaker of one provider, as a pure machine: what is told to it and the time decide, nothing else.
//!
//! ```text
//!            failures in a row, or "down"
//!   CLOSED ───────────────────────────────► OPEN
//!     ▲                                      │ open_for has passed, somebody asks
//!     │ the probe's first token              ▼
//!     └────────────────────────────────── HALF-OPEN ──► OPEN, where the probe fails
//! ```
//!
//! Each change of state begins a new epoch. Whoever is let through carries the epoch of that moment, and what becomes
//! of the call counts only while it lasts: so the success of a call from before the opening never closes it, and its
//! failure never opens it again.

use std::time::Duration;

use tokio::time::Instant;

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
        /// Failures since the last success.
        failures: u32,
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
    /// It refused the request as such: it is there, but no better than before.
    Answered,
    /// It failed in a way that counts.
    Failure,
    /// It says itself that it is down, for so long.
    Down(Duration),
    /// Nothing: the call was cancelled, or failed for a reason of ours.
    Nothing,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed { failures: 0 }, epoch: 0 }
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
            self.close(self.settings.failures.saturating_sub(1));
            *pass = Pass { epoch: self.epoch, is_probe: false };
        }
    }

    /// The call has ended.
    pub(super) fn end(&mut self, pass: &Pass, verdict: Verdict, now: Instant) {
        if !self.is_current(pass) {
            return;
        }
        match (verdict, pass.is_probe) {
            (Verdict::Nothing, true) => self.state = State::HalfOpen { probing: false },
            (Verdict::Nothing, false) => {}
            (Verdict::Success | Verdict::Answered, true) => self.close(0),
            (Verdict::Success, false) => self.state = State::Closed { failures: 0 },
            (Verdict::Answered, false) => {}
            (Verdict::Failure, true) => self.open(now, self.settings.open_for),
            (Verdict::Failure, false) => self.count_failure(now),
            (Verdict::Down(lasts), _) => self.open(now, lasts.max(self.settings.open_for)),
        }
    }

    /// Somebody has tried the provider by hand, outside of all calls.
    pub(super) fn tried_by_hand(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::Success | Verdict::Answered => self.close(0),
            Verdict::Failure | Verdict::Down(_) => self.open(now, self.settings.open_for),
            Verdict::Nothing => {}
        }
    }

    /// Closes it, whatever it was.
    pub(super) fn reset(&mut self) {
        self.close(0);
    }

    /// Takes up where an earlier run left off: open for as long as is left.
    pub(super) fn resume_open(&mut self, left: Duration, now: Instant) {
        if matches!(self.state, State::Closed { failures: 0 }) {
            self.open(now, left.min(self.settings.open_for));
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    fn count_failure(&mut self, now: Instant) {
        if let State::Closed { failures } = &mut self.state {
            *failures = failures.saturating_add(1);
            if *failures >= self.settings.failures {
                self.open(now, self.settings.open_for);
            }
        }
    }

    fn open(&mut self, now: Instant, lasts: Duration) {
        if self.settings.failures == 0 {
            // It is switched off. A state other than closed cannot be reached, but let that not depend on it.
            return self.close(0);
        }
        self.state = State::Open { since: now, lasts };
        self.epoch += 1;
    }

    fn close(&mut self, failures: u32) {
        self.state = State::Closed { failures };
        self.epoch += 1;
    }

    fn is_current(&self, pass: &Pass) -> bool {
        pass.epoch == self.epoch
    }
}

#[cfg(test)]
mod tests;
