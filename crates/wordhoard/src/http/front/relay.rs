//! From the events of a request with one lane to the one answer that a drop-in client is told.

use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Event, EventBody, Failure, FailureClass, ModelRef, Outcome,
    Rest, Timestamp, Token, TokenIndex, TokenKind,
};
use wordhoard_providers::{AnswerRest, Completion, Delta, Dialect, ProviderEvent, client_dialect_of};

use super::provider_events::{ProviderEvents, Told};

/// What a client is told next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// A piece of the answer.
    Delta(Delta),
    /// An event of a provider that speaks the client's dialect, and the pieces that came out of it.
    Event(ProviderEvent, Vec<Delta>),
    /// What was told so far does not count: another answer begins. Never to a client that has got it.
    Anew,
    /// What follows comes from another call of a model than what was told.
    AnotherCall,
    /// Its end: it is whole.
    Completed(Box<Completion>),
    /// Its end: it is not.
    Failed(Failure),
}

/// Tells one answer out of all attempts.
///
/// An attempt that starts anew after something was told is held back while it repeats what was told, and goes on from
/// there; where it says something else, the answer fails with the failure that broke it: what was told cannot be taken
/// back, and two beginnings are no answer (SPEC FD 5).
#[derive(Debug, Default)]
pub(super) struct Relay {
    /// Whether what was told can be taken back, because nobody has got it yet.
    can_take_back: bool,
    /// The dialect of the client. Where it asked in that dialect, it gets all that a provider of the dialect says.
    dialect: Option<Dialect>,
    keeps_events: bool,
    /// The attempt whose events are told: the first one that is told.
    in_events: Option<AttemptSeq>,
    /// What its provider said.
    events: ProviderEvents,
    created_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// The model whose answer was told first.
    model: Option<String>,
    told: String,
    /// Where each token of the text ends in `told`.
    ends: Vec<(AttemptSeq, TokenIndex, usize)>,
    has_told_reasoning: bool,
    /// Whether something was told that no other attempt can repeat or go on from.
    has_told_more: bool,
    /// What of `told` the present attempt still has to repeat.
    to_repeat: String,
    /// Whether the last piece of text was a repeated one.
    repeats: bool,
    /// Whether the present attempt is one of several that started anew.
    is_anew: bool,
    /// The model that was called first: the one that was asked for.
    asked: Option<ModelRef>,
    /// Whether a failure of the present attempt is the one to tell, should there be no answer: that of the model that was
    /// asked for, or of the one whose beginning was told; not that of whoever could not stand in.
    failure_counts: bool,
    failure: Option<Failure>,
    completion: Completion,
    /// How the last attempt ended.
    outcome: Option<Outcome>,
    /// Whether an attempt runs.
    is_running: bool,
    has_ended: bool,
}

impl Relay {
    /// One for a client that gets each piece as it comes.
    pub(super) fn telling(dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ..Self::default() }
    }

    /// One for an answer that is gathered before its client gets any of it.
    pub(super) fn gathering(dialect: Dialect) -> Self {
        Self { can_take_back: true, ..Self::telling(dialect) }
    }

    /// Takes the next event in, and appends what the client is told by it. Nothing is told after an end.
    pub(super) fn take(&mut self, event: &Event, out: &mut Vec<Said>) {
        if self.has_ended {
            return;
        }
        match &event.body {
            EventBody::RequestCreated(created) => {
                self.created_at = Some(event.at);
                let asked_in = client_dialect_of(&created.prompt);
                let is_only_one = created.lanes.len() == 1;
                self.keeps_events = is_only_one && asked_in.is_some() && asked_in == self.dialect;
            }
            EventBody::AttemptStarted(started) => self.begin(started, out),
            EventBody::Token(token) => self.token(token, out),
            EventBody::AttemptFinished(finished) => self.end_attempt(finished, out),
            EventBody::RequestFinished(finished) => {
                self.ended_at = Some(event.at);
                self.finish(finished.outcome, out);
            }
        }
    }

    /// How the last attempt ended; none before the first one has.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether the last attempt broke, and neither another one nor the end has followed yet.
    pub(super) fn is_broken(&self) -> bool {
        let broke = self.outcome.is_some_and(|outcome| outcome != Outcome::Completed);
        broke && !self.is_running && !self.has_ended
    }

    /// From now on the client gets each piece as it comes, and nothing can be taken back.
    pub(super) fn tell_from_now_on(&mut self) {
        self.can_take_back = false;
    }

    fn finish(&mut self, outcome: Outcome, out: &mut Vec<Said>) {
        let end = match outcome {
            Outcome::Completed => Said::Completed(Box::new(self.completion.clone())),
            Outcome::Cancelled => {
                Said::Failed(Failure::new(FailureClass::StreamError, "the request was cancelled"))
            }
            Outcome::Failed | Outcome::Interrupted => Said::Failed(self.broken()),
        };
        self.end(end, out);
    }

    /// The model that answers, as `provider:model`; none before the first attempt.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// When the request was accepted.
    pub(super) fn created_at(&self) -> Timestamp {
        self.created_at.unwrap_or(Timestamp::from_millis(0))
    }

    /// When the request ended; none before that.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    fn begin(&mut self, started: &AttemptStarted, out: &mut Vec<Said>) {
        if self.can_take_back && started.continues.is_none() && self.model.is_some() {
            *self = Self {
                can_take_back: true,
                dialect: self.dialect,
                keeps_events: self.keeps_events,
                failure: self.failure.take(),
                asked: self.asked.take(),
                created_at: self.created_at,
                ..Self::default()
            };
            out.push(Said::Anew);
        }
        self.is_running = true;
        if self.in_events.is_some() {
            out.push(Said::AnotherCall);
        }
        self.failure_counts = *self.asked.get_or_insert_with(|| started.model.clone()) == started.model;
        let is_first_told = self.told.is_empty() && !self.has_told_reasoning && !self.has_told_more;
        if is_first_told {
            self.model = Some(started.model.to_string());
        }
        let repeated_from = match started.continues {
            // A few blanks behind the place where it goes on may have been told already.
            Some(from) => {
                let place = self
                    .ends
                    .iter()
                    .find(|(attempt, index, _)| (*attempt, *index) == (from.attempt_seq, from.token_index));
                place.map_or(self.told.len(), |(.., end)| *end)
            }
            None => 0,
        };
        self.is_anew = started.continues.is_none() && !is_first_told;
        self.to_repeat = self.told[repeated_from..].to_owned();
        self.repeats = false;
        if self.is_anew && self.has_told_more {
            self.fail(out);
        }
    }

    fn token(&mut self, token: &Token, out: &mut Vec<Said>) {
        let is_first = *self.in_events.get_or_insert(token.attempt_seq) == token.attempt_seq;
        if is_first && self.keeps_events {
            self.note(token);
            return self.tell_events(token, out);
        }
        let delta = |text: &str| Said::Delta(Delta::new(token.kind, text));
        match token.kind {
            TokenKind::Text => {
                let Some(news) = self.news_in(&token.text) else { return self.fail(out) };
                self.repeats = news.is_empty();
                if !news.is_empty() {
                    self.failure_counts = true;
                    self.told.push_str(news);
                    out.push(delta(news));
                }
                let end = self.told.len() - self.to_repeat.len();
                self.ends.push((token.attempt_seq, token.token_index, end));
            }
            // How another model came to the same answer would stand in the midst of it.
            TokenKind::Reasoning => {
                if !self.is_anew {
                    self.has_told_reasoning = true;
                    out.push(delta(&token.text));
                }
            }
            TokenKind::Annotation => {
                // What belongs to a repeated piece was told with it.
                if self.to_repeat.is_empty() && !self.repeats {
                    out.push(delta(&token.text));
                }
            }
            TokenKind::ToolCall | TokenKind::Refusal => {
                if !self.to_repeat.is_empty() {
                    return self.fail(out);
                }
                self.has_told_more = true;
                out.push(delta(&token.text));
            }
        }
    }

    /// Keeps what has to be known of a token of the first attempt, which has nothing to repeat.
    fn note(&mut self, token: &Token) {
        self.failure_counts |= token.kind == TokenKind::Text;
        match token.kind {
            TokenKind::Text => {
                self.told.push_str(&token.text);
                self.ends.push((token.attempt_seq, token.token_index, self.told.len()));
            }
            TokenKind::Reasoning => self.has_told_reasoning = true,
            TokenKind::Annotation => {}
            TokenKind::ToolCall | TokenKind::Refusal => self.has_told_more = true,
        }
    }

    /// Tells the events of the provider that are whole with this token, or the token where none is kept for it.
    fn tell_events(&mut self, token: &Token, out: &mut Vec<Said>) {
        let delta = Delta::new(token.kind, token.text.as_str());
        let told = self.events.take(token.events.as_deref(), delta, |told| match told {
            Told::Event(event, deltas) => out.push(Said::Event(event, deltas)),
            // Nothing is told of a text without any.
            Told::Bare(delta) if delta.kind == TokenKind::Text && delta.text.is_empty() => {}
            Told::Bare(delta) => out.push(Said::Delta(delta)),
        });
        if let Err(error) = told {
            self.end(unreadable(&error), out);
        }
    }

    /// What of a text was not told yet; none where it is not what it should repeat.
    fn news_in<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(rest) = self.to_repeat.strip_prefix(text) {
            self.to_repeat = rest.to_owned();
            return Some("");
        }
        let news = text.strip_prefix(self.to_repeat.as_str())?;
        self.to_repeat.clear();
        Some(news)
    }

    fn end_attempt(&mut self, finished: &AttemptFinished, out: &mut Vec<Said>) {
        (self.outcome, self.is_running) = (Some(finished.outcome), false);
        if finished.outcome != Outcome::Completed {
            if self.failure_counts || self.failure.is_none() {
                self.failure = finished.failure.clone().or(self.failure.take());
            }
        } else if self.to_repeat.trim().is_empty() {
            let is_first = self.in_events.is_none_or(|first| first == finished.attempt_seq);
            let rest = match (&finished.rest, is_first && self.keeps_events) {
                (_, false) | (Rest::Nothing, _) => AnswerRest::Nothing,
                (Rest::Document(document), true) => AnswerRest::Document(document.clone()),
                (Rest::Events(coded), true) => match self.events.rest(coded) {
                    Ok(events) => events.map_or(AnswerRest::Nothing, AnswerRest::Events),
                    Err(error) => return self.end(unreadable(&error), out),
                },
            };
            self.completion = Completion {
                finish_reason: finished.finish_reason.clone(),
                provider_finish_reason: finished.provider_finish_reason.clone(),
                usage: finished.usage,
                answered_by: finished.answered_by.clone(),
                rest,
            };
        } else {
            self.fail(out);
        }
    }

    fn broken(&self) -> Failure {
        self.failure.clone().unwrap_or_else(|| Failure::new(FailureClass::Internal, "the answer failed"))
    }

    /// Another attempt is no continuation of what was told.
    fn fail(&mut self, out: &mut Vec<Said>) {
        let broken = self.broken();
        let message = format!(
            "the answer broke off ({}), and the one that took its place begins otherwise: ask again, or read both by \
             the native API",
            broken.message
        );
        self.end(Said::Failed(Failure { message, ..broken }), out);
    }

    fn end(&mut self, end: Said, out: &mut Vec<Said>) {
        self.has_ended = true;
        out.push(end);
    }
}

/// What the provider said cannot be told as it came, so it is not told at all.
fn unreadable(error: &wordhoard_engine::record::Error) -> Said {
    let message = format!("what the provider said cannot be read back: {error}");
    Said::Failed(Failure::new(FailureClass::Storage, message))
}

#[cfg(test)]
mod tests;
