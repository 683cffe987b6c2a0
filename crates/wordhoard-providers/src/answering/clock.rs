use tokio::time::{Duration, Instant};
use wordhoard_model::{Failure, FailureClass};

use crate::TimeLimits;

/// The time limits of one call that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    limits: TimeLimits,
    started: Instant,
    /// When the provider last gave a sign of life.
    last_byte: Instant,
    token_seen: bool,
    /// Until when the end of the answer is awaited, once the provider has said why it stopped.
    end_by: Option<Instant>,
    has_all: bool,
}

/// How long the mark that nothing follows is awaited behind the reason to stop and the usage (a server that keeps its connection
/// open would hold a complete answer back), and how long the usage is behind the reason.
const WAIT_FOR_MARK: Duration = Duration::from_secs(1);
const WAIT_FOR_USAGE: Duration = Duration::from_secs(3);

/// When the wait for the next delta ends, and what it means then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    class: FailureClass,
    limit: Duration,
}

impl Clock {
    pub(super) fn start(limits: TimeLimits) -> Self {
        let now = Instant::now();
        Self { limits, started: now, last_byte: now, token_seen: false, end_by: None, has_all: false }
    }

    /// Says that bytes came, whatever they were.
    pub(super) fn saw_byte(&mut self) {
        self.last_byte = Instant::now();
    }

    /// Says that a delta came: from now on the limit between bytes counts.
    pub(super) fn saw_token(&mut self) {
        self.token_seen = true;
    }

    /// Says that the reason to stop is known, and whether the usage is. Comments that keep a connection alive prolong
    /// nothing; what still says more does, for servers exist that tell a reason with every event.
    pub(super) fn saw_finish(&mut self, has_all: bool, says_more: bool) {
        if says_more || self.end_by.is_none() || (has_all && !self.has_all) {
            self.has_all = has_all;
            self.end_by = Some(Instant::now() + self.wait_for_end());
        }
    }

    /// Says that somebody waits for the next delta from now on; until now nobody did.
    pub(super) fn wait(&mut self) {
        let now = Instant::now();
        if self.token_seen {
            self.last_byte = now;
        }
        self.end_by = self.end_by.map(|_| now + self.wait_for_end());
    }

    fn wait_for_end(&self) -> Duration {
        if self.has_all { WAIT_FOR_MARK } else { WAIT_FOR_USAGE }
    }

    /// The deadline of the wait for the next byte.
    pub(super) fn deadline(&self) -> Deadline {
        let Self { limits, last_byte, .. } = *self;
        let next = if self.token_seen {
            Deadline::new(last_byte, limits.between_bytes, FailureClass::StallTimeout)
        } else {
            Deadline::new(last_byte, limits.first_token, FailureClass::FirstTokenTimeout)
        };
        if let Some(at) = self.end_by.filter(|at| *at < next.at) {
            return Deadline { at, class: FailureClass::StallTimeout, limit: WAIT_FOR_USAGE };
        }
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
            FailureClass::FirstTokenTimeout => {
                format!("the provider was silent for {limit:?} before its first token")
            }
            FailureClass::StallTimeout => format!("the provider was silent for {limit:?} in mid-answer"),
            _ => format!("the answer took longer than {limit:?}"),
        };
        Failure::new(self.class, message)
    }
}
