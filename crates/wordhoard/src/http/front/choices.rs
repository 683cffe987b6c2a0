//! From the events of a request to the answers of all its lanes, each told by a relay of its own: a client that asks for
//! several gets them as choices of one answer.

use std::collections::HashMap;

use wordhoard_model::{AttemptSeq, Event, EventBody, Failure, Outcome, RequestFinished, Timestamp};
use wordhoard_providers::Dialect;

use super::relay::{Relay, Said};
use super::route::Route;

/// The lanes of a request, as choices.
#[derive(Debug)]
pub(super) struct Choices {
    relays: Vec<Relay>,
    /// Whose attempt each is.
    choice_of: HashMap<AttemptSeq, usize>,
    dialect: Dialect,
    new_relay: fn(Dialect) -> Relay,
    route: Route,
    /// Empty between two events: its memory is used again.
    said: Vec<Said>,
}

impl Choices {
    /// For a client that gets each piece as it comes.
    pub(super) fn telling(dialect: Dialect) -> Self {
        Self::of(dialect, Relay::telling)
    }

    /// For one that gets the whole.
    pub(super) fn gathering(dialect: Dialect) -> Self {
        Self::of(dialect, Relay::gathering)
    }

    fn of(dialect: Dialect, new_relay: fn(Dialect) -> Relay) -> Self {
        Self {
            relays: vec![new_relay(dialect)],
            choice_of: HashMap::new(),
            dialect,
            new_relay,
            route: Route::default(),
            said: Vec::new(),
        }
    }

    /// Takes the next event in, and appends what the client is told by it, and of which choice. An answer with a choice that
    /// failed is no whole answer: its failure is all that is told of the end then.
    pub(super) fn take(&mut self, event: &Event, out: &mut Vec<(usize, Said)>) {
        self.route.take(event);
        match &event.body {
            EventBody::RequestCreated(created) => {
                self.relays.resize_with(created.lanes.len().max(1), || (self.new_relay)(self.dialect));
                self.relays.iter_mut().for_each(|relay| relay.take(event, &mut Vec::new()));
            }
            EventBody::AttemptStarted(started) => {
                let choice = usize::from(started.lane.0);
                self.choice_of.insert(started.attempt_seq, choice);
                self.pass_on(choice, event, out);
            }
            EventBody::Token(token) => self.pass_on(self.choice(token.attempt_seq), event, out),
            EventBody::AttemptFinished(finished) => {
                self.pass_on(self.choice(finished.attempt_seq), event, out);
            }
            EventBody::RequestFinished(finished) => self.finish(event, finished, out),
        }
    }

    /// Whether no choice waits for another attempt to take the place of one that broke.
    pub(super) fn are_unbroken(&self) -> bool {
        self.relays.iter().all(|relay| !relay.is_broken())
    }

    /// From now on the client gets each piece as it comes.
    pub(super) fn tell_from_now_on(&mut self) {
        self.relays.iter_mut().for_each(Relay::tell_from_now_on);
        self.new_relay = Relay::telling;
    }

    fn choice(&self, attempt: AttemptSeq) -> usize {
        self.choice_of.get(&attempt).copied().unwrap_or_default()
    }

    fn pass_on(&mut self, choice: usize, event: &Event, out: &mut Vec<(usize, Said)>) {
        let mut said = std::mem::take(&mut self.said);
        if let Some(relay) = self.relays.get_mut(choice) {
            relay.take(event, &mut said);
        }
        out.extend(said.drain(..).map(|said| (choice, self.named(choice, said))));
        self.said = said;
    }

    fn finish(&mut self, event: &Event, finished: &RequestFinished, out: &mut Vec<(usize, Said)>) {
        let mut ends = Vec::new();
        for choice in 0..self.relays.len() {
            // A request is completed only where all its lanes are.
            let outcome = match self.relays[choice].outcome() {
                Some(Outcome::Completed) if self.relays.len() > 1 => Outcome::Completed,
                _ => finished.outcome,
            };
            let body = EventBody::RequestFinished(Box::new(RequestFinished { outcome, ..finished.clone() }));
            self.pass_on(choice, &Event { body, ..event.clone() }, &mut ends);
        }
        match ends.iter().position(|(_, said)| matches!(said, Said::Failed(_))) {
            Some(failed) => out.push(ends.swap_remove(failed)),
            None => out.extend(ends),
        }
    }

    /// Where there are several, a failure says whose it is.
    fn named(&self, choice: usize, said: Said) -> Said {
        match said {
            Said::Failed(failure) if self.relays.len() > 1 => {
                let model = self.model(choice).unwrap_or("not begun");
                let message = format!("choice {choice} ({model}): {}", failure.message);
                Said::Failed(Failure { message, ..failure })
            }
            said => said,
        }
    }

    /// The way that the answer has taken so far.
    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// How many there are. One before the first event.
    pub(super) fn count(&self) -> usize {
        self.relays.len()
    }

    /// The model that gives a choice, as `provider:model`; none before its first attempt.
    pub(super) fn model(&self, choice: usize) -> Option<&str> {
        self.relays.get(choice)?.model()
    }

    /// When the request was accepted.
    pub(super) fn created_at(&self) -> Timestamp {
        self.relays.first().map_or(Timestamp::from_millis(0), Relay::created_at)
    }

    /// When the request ended; none before that.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.relays.first()?.ended_at()
    }
}
