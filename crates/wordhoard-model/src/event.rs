//! What can happen to a request. The events of a request are its whole truth: its state is a fold over them.

use std::sync::Arc;

use crate::{
    AttemptSeq, Cost, Failure, Fallback, FinishReason, Idempotency, KeyId, Lane, LaneSpec, ModelRef, Outcome,
    Prompt, Seq, Timestamp, Token, TokenIndex, Usage,
};

/// One thing that happened to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place within the request.
    pub seq: Seq,
    /// When the server recorded it.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened. Nearly all events are tokens, so what is larger than one stands behind a pointer; the prompt behind one that is shared.
#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    /// The prompt was accepted. Always the first event, and only that.
    RequestCreated(Arc<RequestCreated>),
    /// A provider is being called.
    AttemptStarted(Box<AttemptStarted>),
    /// A delta came from the provider.
    Token(Token),
    /// The attempt ended.
    AttemptFinished(Box<AttemptFinished>),
    /// All lanes ended. Always the last event.
    RequestFinished(Box<RequestFinished>),
}

const _: () = assert!(size_of::<Event>() <= 96, "nearly all events are tokens: they stay small");

impl EventBody {
    /// The name of the event on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RequestCreated(_) => "request.created",
            Self::AttemptStarted(_) => "attempt.started",
            Self::Token(_) => "token",
            Self::AttemptFinished(_) => "attempt.finished",
            Self::RequestFinished(_) => "request.finished",
        }
    }

    /// The attempt that the event belongs to; none for the request's own events.
    pub fn attempt_seq(&self) -> Option<AttemptSeq> {
        match self {
            Self::RequestCreated(_) | Self::RequestFinished(_) => None,
            Self::AttemptStarted(started) => Some(started.attempt_seq),
            Self::Token(token) => Some(token.attempt_seq),
            Self::AttemptFinished(finished) => Some(finished.attempt_seq),
        }
    }
}

/// The accepted prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestCreated {
    /// What was asked.
    pub prompt: Prompt,
    /// Whom it was asked of: 1 to 5 lanes, lane 0 first.
    pub lanes: Vec<LaneSpec>,
    /// The caller's key against doubles, where it gave one.
    pub idempotency: Option<Idempotency>,
    /// Who answers in the place of a model that fails.
    pub fallback: Fallback,
    /// The key that it was asked with, where one was shown that the database knows.
    pub key: Option<KeyId>,
}

/// The start of a call to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptStarted {
    /// The attempt; one more than the one before it in this request.
    pub attempt_seq: AttemptSeq,
    /// The lane it serves.
    pub lane: Lane,
    /// The model that is called; with a fallback another one than the lane asked for.
    pub model: ModelRef,
    /// Where it goes on from an earlier attempt's text; none where it starts anew.
    pub continues: Option<Continues>,
}

/// The last token of an earlier attempt that a continuation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continues {
    /// The earlier attempt.
    pub attempt_seq: AttemptSeq,
    /// Its last token that still counts.
    pub token_index: TokenIndex,
}

/// The end of a call to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFinished {
    /// The attempt that ended.
    pub attempt_seq: AttemptSeq,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the provider stopped, where it said so.
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for it, where that is another.
    pub provider_finish_reason: Option<String>,
    /// What it consumed, where the provider said so; of a failed attempt, as far as it did.
    pub usage: Option<Usage>,
    /// What that costs, where usage and price are known.
    pub cost: Option<Cost>,
    /// How many tokens were recorded; a reader that has fewer misses some.
    pub token_count: u64,
    /// The model that the provider says has answered.
    pub answered_by: Option<String>,
    /// Why it did not complete; always there for `Failed` and `Interrupted`.
    pub failure: Option<Failure>,
    /// What else the provider said, for clients of its dialect.
    pub rest: Rest,
}

/// What is kept of what a provider said around the end of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// The events behind the last token, coded as [`Token::events`]; maybe none. All events before were kept, too.
    Events(Box<[u8]>),
    /// The whole answer: it came as one document.
    Document(Box<str>),
}

/// The end of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFinished {
    /// `Completed` only where every lane completed.
    pub outcome: Outcome,
    /// How many lanes completed.
    pub lanes_completed: u32,
    /// How many attempts were made.
    pub attempt_count: u32,
    /// How many tokens were recorded over all attempts.
    pub token_count: u64,
    /// The usage of the attempts that completed, of those that told theirs.
    pub usage: Option<Usage>,
    /// The usage of all other attempts, of those that told theirs.
    pub failed_usage: Option<Usage>,
    /// What all attempts cost together, of those whose cost is known.
    pub cost: Option<Cost>,
}
