//! What a lane does next, decided by what its attempts say and nothing else: so a lane that a crash interrupted goes
//! on as if it had not been.
//!
//! SPEC FD 2, 3 and 5 in one place: what is tried again, what falls back to whom, what goes on from where.

use std::time::Duration;

use wordhoard_model::{AttemptState, Failure, FailureClass, ModelRef, Outcome};

/// A model that may answer for a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) model: ModelRef,
    /// Whether it can go on from the beginning of an answer.
    pub(super) can_continue: bool,
    /// In tokens, where it is known.
    pub(super) context_window: Option<u64>,
}

/// Within which bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Tries of one model after its first one failed.
    pub(super) max_retries: u32,
    /// The longest rest that a lane without another candidate waits for.
    pub(super) longest_wait: Duration,
    /// Whether there is the beginning of an answer to go on from.
    pub(super) has_beginning: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: the last attempt's end is the lane's.
    End,
    /// Another attempt.
    Attempt(Step),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Which candidate, by its place.
    pub(super) candidate: usize,
    /// Whether it goes on from the beginning that is there.
    pub(super) continues: bool,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is the lane's first, or takes up one that the server itself has interrupted, or one whose model refused to go
    /// on from a beginning: at once.
    First,
    /// It tries the same model again, for the nth time, after a growing pause of at least so long.
    Retry { nth: u32, at_least: Duration },
    /// It asks another model; at once where nobody was called before it, and otherwise after a short pause.
    Fallback { at_once: bool },
}

/// What the failure of a call leads to.
enum Remedy {
    /// Nothing: another call would fail in the same way, or must not be made.
    None,
    /// The same model, while it may be tried again; then another.
    Retry,
    /// Another model; where there is none, the same one once it has rested.
    Rest,
    /// Another model.
    Fallback,
}

/// What a lane does after these attempts of its own.
pub(super) fn next(attempts: &[&AttemptState], candidates: &[Candidate], rules: Rules) -> Next {
    let Some(last) = attempts.last() else { return step(0, false, Why::First) };
    let Some((_, end)) = &last.finished else { return Next::End };
    let plan = Plan { attempts, candidates, rules, last };
    match (end.outcome, &end.failure) {
        (Outcome::Completed | Outcome::Cancelled, _) | (Outcome::Failed, None) => Next::End,
        (Outcome::Interrupted, _) => match plan.current() {
            Some(candidate) => step(candidate, plan.continues(candidate), Why::First),
            None => plan.fallback(true),
        },
        (Outcome::Failed, Some(failure)) => plan.after(failure),
    }
}

fn step(candidate: usize, continues: bool, why: Why) -> Next {
    Next::Attempt(Step { candidate, continues, why })
}

struct Plan<'a> {
    attempts: &'a [&'a AttemptState],
    candidates: &'a [Candidate],
    rules: Rules,
    last: &'a AttemptState,
}

impl Plan<'_> {
    fn after(&self, failure: &Failure) -> Next {
        let Some(current) = self.current() else { return self.fallback(false) };
        if self.refused_to_continue(self.last) {
            return step(current, false, Why::First);
        }
        match remedy(failure.class) {
            Remedy::None => Next::End,
            Remedy::Fallback => self.fallback(was_not_called(failure.class)),
            Remedy::Rest => match self.fallback(false) {
                Next::End => self.retry(current, failure).unwrap_or(Next::End),
                fallback @ Next::Attempt(_) => fallback,
            },
            Remedy::Retry => {
                let retry = self.retry(current, failure);
                // An answer that broke in the middle and that its model cannot go on with is better restarted by another.
                let prefers_another = self.last.next_token_index.0 > 0 && !self.continues(current);
                match (retry, prefers_another) {
                    (None, _) => self.fallback(false),
                    (Some(retry), false) => retry,
                    (Some(retry), true) => match self.fallback(false) {
                        Next::End => retry,
                        fallback @ Next::Attempt(_) => fallback,
                    },
                }
            }
        }
    }

    /// Another try of the same model, if there is one left and the provider does not want us to stay away for long.
    fn retry(&self, current: usize, failure: &Failure) -> Option<Next> {
        let failed = self.attempts.iter().filter(|attempt| self.is_failed_call_of(attempt, current)).count();
        let nth = u32::try_from(failed).unwrap_or(u32::MAX);
        let at_least = Duration::from_millis(failure.retry_after_ms.unwrap_or(0));
        let may = nth <= self.rules.max_retries && at_least <= self.rules.longest_wait;
        may.then(|| step(current, self.continues(current), Why::Retry { nth, at_least }))
    }

    fn is_failed_call_of(&self, attempt: &AttemptState, candidate: usize) -> bool {
        let failed = attempt.finished.as_ref().is_some_and(|(_, end)| end.outcome == Outcome::Failed);
        failed
            && attempt.started.model == self.candidates[candidate].model
            && !self.refused_to_continue(attempt)
    }

    /// The first model that was not tried yet, and that is not known to be too small for what was too long.
    fn fallback(&self, at_once: bool) -> Next {
        let is_new = |candidate: &Candidate| {
            self.attempts.iter().all(|attempt| attempt.started.model != candidate.model)
        };
        let is_large_enough = |candidate: &Candidate| match (self.too_small(), candidate.context_window) {
            (None, _) | (Some(None), _) => true,
            (Some(Some(too_small)), Some(window)) => window > too_small,
            (Some(Some(_)), None) => false,
        };
        match self.candidates.iter().position(|candidate| is_new(candidate) && is_large_enough(candidate)) {
            Some(other) => step(other, self.continues(other), Why::Fallback { at_once }),
            None => Next::End,
        }
    }

    /// The largest window that the prompt did not fit into; none inside where it is not known. None outside where it
    /// fitted.
    fn too_small(&self) -> Option<Option<u64>> {
        let windows =
            self.attempts.iter().filter(|attempt| has_failed_by(attempt, FailureClass::ContextLength));
        let window = |attempt: &&AttemptState| {
            let of_it = |candidate: &&Candidate| candidate.model == attempt.started.model;
            self.candidates.iter().find(of_it).and_then(|candidate| candidate.context_window)
        };
        windows.map(window).reduce(Option::max)
    }

    /// The place of the last attempt's model, if it is still a candidate.
    fn current(&self) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.model == self.last.started.model)
    }

    fn continues(&self, candidate: usize) -> bool {
        let candidate = &self.candidates[candidate];
        let has_refused = || {
            let of_it = |attempt: &&&AttemptState| attempt.started.model == candidate.model;
            self.attempts.iter().filter(of_it).any(|attempt| self.refused_to_continue(attempt))
        };
        self.rules.has_beginning && candidate.can_continue && !has_refused()
    }

    /// Whether a model refused to go on from a beginning: that failure is one of our technique, not of the request.
    fn refused_to_continue(&self, attempt: &AttemptState) -> bool {
        let refused = [FailureClass::BadRequest, FailureClass::Unsupported]
            .into_iter()
            .any(|class| has_failed_by(attempt, class));
        attempt.started.continues.is_some() && attempt.next_token_index.0 == 0 && refused
    }
}

fn has_failed_by(attempt: &AttemptState, class: FailureClass) -> bool {
    let failure = attempt.finished.as_ref().and_then(|(_, end)| end.failure.as_ref());
    failure.is_some_and(|failure| failure.class == class)
}

fn remedy(class: FailureClass) -> Remedy {
    match class {
        FailureClass::Connect
        | FailureClass::ConnectTimeout
        | FailureClass::ProviderError
        | FailureClass::StreamError
        | FailureClass::Cut
        | FailureClass::Malformed => Remedy::Retry,
        FailureClass::RateLimited | FailureClass::ProviderOverloaded => Remedy::Rest,
        // Silent to its limit: the same route would be silent again.
        FailureClass::FirstTokenTimeout
        | FailureClass::StallTimeout
        | FailureClass::ContextLength
        | FailureClass::OutOfCredit
        | FailureClass::Unauthorized
        | FailureClass::NotFound
        | FailureClass::Unavailable
        | FailureClass::ProviderDown
        | FailureClass::Overloaded
        | FailureClass::Unsupported => Remedy::Fallback,
        // Who asks with a credential of its own is not to be answered at our cost.
        FailureClass::CredentialRefused
        | FailureClass::BadRequest
        | FailureClass::ContentPolicy
        | FailureClass::TotalTimeout
        | FailureClass::Storage
        | FailureClass::ServerStopped
        | FailureClass::Internal => Remedy::None,
    }
}

/// Whether another candidate than this one was not tried yet.
pub(super) fn has_alternative(attempts: &[&AttemptState], candidates: &[Candidate], current: usize) -> bool {
    let is_untried =
        |candidate: &Candidate| attempts.iter().all(|attempt| attempt.started.model != candidate.model);
    candidates.iter().enumerate().any(|(place, candidate)| place != current && is_untried(candidate))
}

/// Whether the attempt ended before anybody was called.
fn was_not_called(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::Unavailable
            | FailureClass::ProviderDown
            | FailureClass::Overloaded
            | FailureClass::Unsupported
    )
}

#[cfg(test)]
mod tests;
