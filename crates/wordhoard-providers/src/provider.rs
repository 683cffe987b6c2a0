use std::sync::Arc;

use futures_util::stream::BoxStream;
use wordhoard_model::{Failure, Prompt, ProviderName};
use wordhoard_wire::{Completion, Delta};

/// Someone who answers prompts.
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// Its name, the part before the colon in `openai:gpt-4o`.
    fn name(&self) -> &ProviderName;

    /// Calls the provider. Everything, connecting included, happens while the stream is polled; dropping it closes
    /// the connection.
    ///
    /// The stream gives every delta as it comes, then [`AnswerPart::Completed`] or a failure, and ends. Whoever polls
    /// it to its end, and does not drop it at `Completed`, lets the connection be used again. A slow reader slows the
    /// provider down: nothing is read ahead but what one read of the socket brought.
    fn answer(&self, call: Call) -> AnswerStream;
}

/// What a provider is asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// The provider's name for the model.
    pub model: String,
    /// The prompt.
    pub prompt: Arc<Prompt>,
}

/// A piece of an answer, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPart {
    /// The next piece.
    Delta(Delta),
    /// The answer is whole. Comes last, exactly once, unless a failure ends the stream.
    Completed(Completion),
}

/// The answer as it comes. Ends after [`AnswerPart::Completed`] or the first failure, never without one of them.
pub type AnswerStream = BoxStream<'static, Result<AnswerPart, Failure>>;
