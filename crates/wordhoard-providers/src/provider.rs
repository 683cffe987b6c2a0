use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};
use wordhoard_model::{Capabilities, Conversation, Failure, FailureClass, ProviderName, Usage};
use wordhoard_wire::{CallKind, CannotHonour, Completion, Delta, Dialect, ProviderEvent};

use crate::Resting;
use crate::{ClientCredential, Passage, Passed};

/// Someone who answers prompts.
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// Its name, the part before the colon in `openai:gpt-4o`.
    fn name(&self) -> &ProviderName;

    /// The dialect that it speaks; none where it speaks no dialect of others.
    fn dialect(&self) -> Option<Dialect> {
        None
    }

    /// Whether it is asked for embeddings, by the call that OpenAI's API has for them.
    fn has_embeddings(&self) -> bool {
        false
    }

    /// What one of its models can do and costs.
    fn capabilities(&self, model: &str) -> Arc<Capabilities>;

    /// Whether the call can be put in its dialect, without making it; and the fields that it would go without, or with in
    /// another form.
    ///
    /// # Errors
    /// The field that it, or the model, cannot honour, where such are refused.
    fn check(&self, call: &Call) -> Result<BTreeSet<String>, CannotHonour>;

    /// Whether the model is not to be called for a while, because the provider said so.
    fn resting(&self, model: &str) -> Option<Resting>;

    /// How long a call may wait for the provider before its first token.
    fn first_token_limit(&self) -> Duration;

    /// How many of its keys have no credit left: for the operator, not for callers.
    fn keys_without_credit(&self) -> usize {
        0
    }

    /// How many of its keys the provider did not accept when they were used last: for the operator, not for callers.
    fn refused_keys(&self) -> usize {
        0
    }

    /// Whether it is asked with the credential of each client, and not with keys of ours.
    fn takes_client_credential(&self) -> bool {
        false
    }

    /// Calls the provider. Everything, connecting included, happens while the stream is polled; dropping it closes
    /// the connection.
    ///
    /// The stream gives what is there as it comes, then [`AnswerPart::Completed`] or a failure, and ends. Whoever polls
    /// it to its end, and does not drop it at `Completed`, lets the connection be used again. A slow reader slows the
    /// provider down: no more is read ahead than makes one part.
    fn answer(&self, call: Call) -> AnswerStream;

    /// Passes a request on to a path that the server knows nothing of. A provider without paths refuses.
    fn pass_on(&self, _passage: Passage) -> BoxFuture<'static, Result<Passed, Failure>> {
        let message = format!("provider {:?} has no other paths", self.name().as_str());
        Box::pin(std::future::ready(Err(Failure::new(FailureClass::NotFound, message))))
    }

    /// Asks how many tokens the prompt of a call has, without making the call. A provider that does not count refuses.
    fn count_tokens(&self, call: Call) -> BoxFuture<'static, Result<u64, Failure>>;
}

/// What a provider is asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// The provider's name for the model.
    pub model: String,
    /// What it shall answer.
    pub conversation: Arc<Conversation>,
    /// The beginning of its answer, where it shall go on from one. Only for models that are declared to be able to.
    pub answer_so_far: Option<String>,
    /// The client's request as it came: a provider of the client's dialect gets it so.
    pub verbatim: Option<Verbatim>,
    /// Whether the client gets the provider's own events where both speak one dialect: then they come with their deltas.
    pub keeps_events: bool,
    /// The client's own credential, for a provider that is asked with it.
    pub credential: Option<ClientCredential>,
}

/// A client's request as it came.
#[derive(Clone, Debug)]
pub struct Verbatim {
    /// The client's dialect.
    pub dialect: Dialect,
    /// The body.
    pub body: Arc<Map<String, Value>>,
    /// What goes along with it.
    pub forwarded: Forwarded,
    /// Which of a provider's calls it is for.
    pub kind: CallKind,
}

/// What of a client's request goes to a provider of its dialect beside the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The query of the URL, without the question mark.
    pub query: Option<String>,
}

/// A part of an answer, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPart {
    /// All that the provider said and that was there to be read at one time.
    Pieces(Pieces),
    /// What the provider has counted so far, whenever it says so before the end: what a call consumed that somebody ends.
    Usage(Usage),
    /// The answer is whole. Comes last, exactly once, unless a failure ends the stream.
    Completed(Box<Completion>),
}

/// Pieces of an answer, and the events that they came out of where those are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// The pieces, in their order.
    pub deltas: Vec<Delta>,
    /// The events, in their order: each has as many of the deltas as it says, one event behind the other. Deltas behind all of them
    /// came out of what no client of the dialect could read.
    pub events: Vec<ProviderEvent>,
}

impl Pieces {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.events.is_empty()
    }
}

impl From<Vec<Delta>> for Pieces {
    fn from(deltas: Vec<Delta>) -> Self {
        Self { deltas, events: Vec::new() }
    }
}

/// An answer that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Broken {
    /// Why. Holds no secret.
    pub failure: Failure,
    /// What the provider had said until then about the answer as a whole, such as what it consumed.
    pub so_far: Box<Completion>,
}

/// The answer as it comes. Ends after [`AnswerPart::Completed`] or the first failure, never without one of them.
pub type AnswerStream = BoxStream<'static, Result<AnswerPart, Broken>>;

impl Call {
    /// A call without the beginning of an answer.
    pub fn new(model: impl Into<String>, conversation: Arc<Conversation>) -> Self {
        Self {
            model: model.into(),
            conversation,
            answer_so_far: None,
            verbatim: None,
            keeps_events: false,
            credential: None,
        }
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, so_far: Box::default() }
    }
}
