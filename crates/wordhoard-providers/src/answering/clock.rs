use tokio::time::{Duration, Instant};
use wordhoard_model::{Failure, FailureClass};

use crate::TimeLimits;

/// The time limits of one call that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    limits: TimeLimits,
    started: Instant,
    token_seen: bool,
}

/// When the wait for the next delta ends, and what it means then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    class: FailureClass,
    limit: Duration,
}

impl Clock {
    pub(super) fn start(limits: TimeLimits) -> Self {
        Self { limits, started: Instant::now(), token_seen: false }
    }

    /// Says that a delta came: from now on the limit between tokens counts.
    pub(super) fn saw_token(&mut self) {
        self.token_seen = true;
    }

    /// The deadline of a wait for the next delta that begins now. Before the first one it counts from the start of
    /// the call, so that no number of headers, comments or empty chunks moves it.
    pub(super) fn deadline(&self) -> Deadline {
        let Self { limits, started, .. } = *self;
        let next = if self.token_seen {
            Deadline::new(Instant::now(), limits.between_tokens, FailureClass::StallTimeout)
        } else {
            Deadline::new(started, limits.first_token, FailureClass::FirstTokenTimeout)
        };
        let total = self.total();
        if total.at < next.at { total } else { next }
    }

    /// The deadline of the answer as a whole.
    pub(super) fn total(&self) -> Deadline {
        Deadline::new(self.started, self.limits.total, FailureClass::TotalTimeout)
    }
}

impl Deadline {
    fn new(from: Instant, limit: Duration, class: FailureClass) -> Self {
        // A limit beyond what the clock can hold is none that matters; 30 years stand for it.
        let at = from.checked_add(limit).unwrap_or_else(|| from + Duration::from_secs(1_000_000_000));
        Self { at, class, limit }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.at
    }

    pub(super) fn failure(&self) -> Failure {
        let limit = self.limit;
        let message = match self.class {
            FailureClass::FirstTokenTimeout => format!("no token came within {limit:?}"),
            FailureClass::StallTimeout => format!("the stream stood still for {limit:?}"),
            _ => format!("the answer took longer than {limit:?}"),
        };
        Failure::new(self.class, message)
    }
}
