//! The state machine of a request: what its events say, whoever reads them.
//!
//! The engine folds events as it makes them, recovery folds what a crash left, a reader of history folds what SQL
//! holds. All use this one fold, and it refuses an event that cannot follow the ones before it.

use crate::{
    AttemptFinished, AttemptSeq, AttemptStarted, Cost, Event, EventBody, Failure, Lane, LaneSpec, Outcome,
    RequestFinished, RequestStatus, Rest, Seq, Timestamp, TokenIndex, Usage, UsageDetails,
};

/// Where a request stands after the events seen so far. Holds no text of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestState {
    next_seq: Seq,
    created_at: Timestamp,
    lanes: Vec<LaneSpec>,
    attempts: Vec<AttemptState>,
    finished: Option<(Timestamp, RequestFinished)>,
}

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptState {
    /// Its first event.
    pub started: AttemptStarted,
    /// When it started.
    pub started_at: Timestamp,
    /// The index that its next token will have; so also how many it has.
    pub next_token_index: TokenIndex,
    /// Its last event and its time, once it ended.
    pub finished: Option<(Timestamp, AttemptFinished)>,
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// No attempt was made yet.
    Waiting,
    /// This attempt is running.
    Running(AttemptSeq),
    /// This attempt ended last, and how. Another may follow unless it completed.
    Ended(AttemptSeq, Outcome),
}

/// An event that cannot follow the ones before it: something is missing, doubled or out of order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The first event is not `request.created`.
    #[error("the first event is {0}, not request.created with seq 0")]
    NotCreated(&'static str),
    /// The `seq` does not follow.
    #[error("event {found} where {expected} is next")]
    Seq {
        /// The one that is next.
        expected: Seq,
        /// The one that came.
        found: Seq,
    },
    /// The token index does not follow.
    #[error("token {found} of attempt {attempt} where {expected} is next")]
    TokenIndex {
        /// Whose token.
        attempt: AttemptSeq,
        /// The one that is next.
        expected: TokenIndex,
        /// The one that came.
        found: TokenIndex,
    },
    /// The attempt is unknown, not next, not open, or of no lane.
    #[error("{event} of attempt {attempt}, which {problem}")]
    Attempt {
        /// Which event.
        event: &'static str,
        /// Of which attempt.
        attempt: AttemptSeq,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The event cannot come at this point.
    #[error("{event} {problem}")]
    Misplaced {
        /// Which event.
        event: &'static str,
        /// Why not.
        problem: &'static str,
    },
}

impl RequestState {
    /// The state after the first event.
    ///
    /// # Errors
    /// [`Violation::NotCreated`] where it is no `request.created` with `seq` 0.
    pub fn begin(first: &Event) -> Result<Self, Violation> {
        match &first.body {
            EventBody::RequestCreated(created) if first.seq == Seq::FIRST => Ok(Self {
                next_seq: Seq::FIRST.next(),
                created_at: first.at,
                lanes: created.lanes.clone(),
                attempts: Vec::new(),
                finished: None,
            }),
            other => Err(Violation::NotCreated(other.name())),
        }
    }

    /// The state after all these events.
    ///
    /// # Errors
    /// The first event that cannot follow the ones before it; [`Violation::NotCreated`] also where there is none.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, Violation> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(Violation::NotCreated("missing"))?;
        let mut state = Self::begin(first)?;
        events.try_for_each(|event| state.apply(event))?;
        Ok(state)
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// Why it cannot follow; the state is then unchanged.
    pub fn apply(&mut self, event: &Event) -> Result<(), Violation> {
        if event.seq != self.next_seq {
            return Err(Violation::Seq { expected: self.next_seq, found: event.seq });
        }
        let name = event.body.name();
        if self.finished.is_some() {
            return Err(Violation::Misplaced { event: name, problem: "comes after the end of the request" });
        }
        match &event.body {
            EventBody::RequestCreated(_) => {
                return Err(Violation::Misplaced { event: name, problem: "comes a second time" });
            }
            EventBody::AttemptStarted(started) => self.start(started, event.at)?,
            EventBody::Token(token) => {
                let attempt = self.open_attempt(token.attempt_seq, name)?;
                if token.token_index != attempt.next_token_index {
                    return Err(Violation::TokenIndex {
                        attempt: token.attempt_seq,
                        expected: attempt.next_token_index,
                        found: token.token_index,
                    });
                }
                attempt.next_token_index = token.token_index.next();
            }
            EventBody::AttemptFinished(finished) => {
                let attempt = self.open_attempt(finished.attempt_seq, name)?;
                if finished.token_count != attempt.next_token_index.0 {
                    let attempt = finished.attempt_seq;
                    return Err(Violation::Attempt {
                        event: name,
                        attempt,
                        problem: "counts other tokens than it has",
                    });
                }
                attempt.finished = Some((event.at, AttemptFinished::clone(finished)));
            }
            EventBody::RequestFinished(finished) => {
                if self.open_attempts().next().is_some() {
                    return Err(Violation::Misplaced { event: name, problem: "comes while an attempt runs" });
                }
                self.finished = Some((event.at, RequestFinished::clone(finished)));
            }
        }
        self.next_seq = event.seq.next();
        Ok(())
    }

    /// The state after events of which some are missing, so that the request can be ended all the same: what cannot
    /// follow is passed over, and what is missing keeps its place. Nothing where not even the first event is there.
    pub fn salvage<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let mut state = Self::begin(events.next()?).ok()?;
        for event in events {
            if event.seq < state.next_seq {
                continue;
            }
            state.next_seq = event.seq;
            if let EventBody::Token(token) = &event.body
                && let Ok(attempt) = state.open_attempt(token.attempt_seq, "token")
                && token.token_index > attempt.next_token_index
            {
                attempt.next_token_index = token.token_index;
            }
            // Refused: then only its place is taken.
            if state.apply(event).is_err() {
                state.next_seq = event.seq.next();
            }
        }
        Some(state)
    }

    fn start(&mut self, started: &AttemptStarted, at: Timestamp) -> Result<(), Violation> {
        let refuse = |problem| {
            Err(Violation::Attempt { event: "attempt.started", attempt: started.attempt_seq, problem })
        };
        if started.attempt_seq != self.next_attempt_seq() {
            return refuse("is not the next one");
        }
        if usize::from(started.lane.0) >= self.lanes.len() {
            return refuse("belongs to no lane");
        }
        match self.lane(started.lane) {
            LaneState::Running(_) => return refuse("starts while another one of its lane runs"),
            LaneState::Ended(_, Outcome::Completed) => return refuse("starts in a lane that has completed"),
            LaneState::Waiting | LaneState::Ended(..) => {}
        }
        self.attempts.push(AttemptState {
            started: started.clone(),
            started_at: at,
            next_token_index: TokenIndex::FIRST,
            finished: None,
        });
        Ok(())
    }

    fn open_attempt(
        &mut self,
        attempt: AttemptSeq,
        event: &'static str,
    ) -> Result<&mut AttemptState, Violation> {
        let refuse = |problem| Violation::Attempt { event, attempt, problem };
        let place = (attempt.0 as usize).checked_sub(1).ok_or_else(|| refuse("does not exist"))?;
        let state = self.attempts.get_mut(place).ok_or_else(|| refuse("was not started"))?;
        if state.finished.is_some() {
            return Err(refuse("has already ended"));
        }
        Ok(state)
    }
}

/// Reading.
impl RequestState {
    /// The `seq` of the next event; so also how many there are.
    pub fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The number of the next attempt.
    pub fn next_attempt_seq(&self) -> AttemptSeq {
        AttemptSeq(AttemptSeq::FIRST.0 + self.attempts.len() as u32)
    }

    /// When the request was accepted.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The models that were asked for, in the order of lanes.
    pub fn lanes(&self) -> &[LaneSpec] {
        &self.lanes
    }

    /// All attempts, in their order.
    pub fn attempts(&self) -> &[AttemptState] {
        &self.attempts
    }

    /// One attempt.
    pub fn attempt(&self, attempt: AttemptSeq) -> Option<&AttemptState> {
        self.attempts.get((attempt.0 as usize).checked_sub(1)?)
    }

    /// The attempts that have not ended.
    pub fn open_attempts(&self) -> impl Iterator<Item = &AttemptState> {
        self.attempts.iter().filter(|attempt| attempt.finished.is_none())
    }

    /// The end of the request and its time, once it ended.
    pub fn finished(&self) -> Option<&(Timestamp, RequestFinished)> {
        self.finished.as_ref()
    }

    /// Where the request stands.
    pub fn status(&self) -> RequestStatus {
        match &self.finished {
            None => RequestStatus::Running,
            Some((_, finished)) => RequestStatus::Finished(finished.outcome),
        }
    }

    /// Where a lane stands.
    pub fn lane(&self, lane: Lane) -> LaneState {
        let Some(last) = self.attempts.iter().rev().find(|attempt| attempt.started.lane == lane) else {
            return LaneState::Waiting;
        };
        match &last.finished {
            None => LaneState::Running(last.started.attempt_seq),
            Some((_, finished)) => LaneState::Ended(last.started.attempt_seq, finished.outcome),
        }
    }

    /// The event that ends an attempt as it stands.
    pub fn ending(
        &self,
        attempt_seq: AttemptSeq,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> AttemptFinished {
        AttemptFinished {
            attempt_seq,
            outcome,
            finish_reason: None,
            usage: None,
            cost: None,
            token_count: self.attempt(attempt_seq).map_or(0, |attempt| attempt.next_token_index.0),
            answered_by: None,
            provider_finish_reason: None,
            failure,
            rest: Rest::Nothing,
        }
    }

    /// The event that closes the request as it stands. `Completed` only where every lane completed; otherwise the
    /// gravest of what happened: interrupted over cancelled over failed.
    pub fn closing(&self) -> RequestFinished {
        let mut outcomes = Vec::with_capacity(self.lanes.len());
        for lane in 0..self.lanes.len() {
            outcomes.push(match self.lane(Lane(lane as u8)) {
                LaneState::Ended(_, outcome) => outcome,
                LaneState::Waiting | LaneState::Running(_) => Outcome::Interrupted,
            });
        }
        let gravest = [Outcome::Interrupted, Outcome::Cancelled, Outcome::Failed];
        let ended =
            || self.attempts.iter().filter_map(|attempt| attempt.finished.as_ref()).map(|(_, end)| end);
        let usage_where = |completed: bool| {
            let wanted = ended().filter(|end| (end.outcome == Outcome::Completed) == completed);
            let sum = wanted.filter_map(|end| end.usage).reduce(Usage::plus);
            // What has prices of its own is told by attempt.
            sum.map(|usage| Usage { details: UsageDetails::default(), ..usage })
        };
        RequestFinished {
            outcome: gravest.into_iter().find(|grave| outcomes.contains(grave)).unwrap_or(Outcome::Completed),
            lanes_completed: outcomes.iter().filter(|outcome| **outcome == Outcome::Completed).count() as u32,
            attempt_count: self.attempts.len() as u32,
            token_count: self.attempts.iter().map(|attempt| attempt.next_token_index.0).sum(),
            usage: usage_where(true),
            failed_usage: usage_where(false),
            cost: ended().filter_map(|end| end.cost).reduce(Cost::plus),
        }
    }
}

#[cfg(test)]
mod tests;
