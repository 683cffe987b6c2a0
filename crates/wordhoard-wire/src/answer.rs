use crate::ProviderEvent;
use wordhoard_model::{FinishReason, TokenKind, Usage};

/// One piece of an answer as the provider sent it. It becomes one token; its text is never changed, joined or split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// What it is a piece of.
    pub kind: TokenKind,
    /// The piece itself, never empty. For a tool call it is a compact JSON object
    /// `{"index", "id"?, "name"?, "arguments"?}`.
    pub text: String,
}

/// What a provider says at the end of an answer that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Why it stopped, in the words of the chat dialect.
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for it, where that is another.
    pub provider_finish_reason: Option<String>,
    /// What it counted.
    pub usage: Option<Usage>,
    /// The model that it says has answered.
    pub answered_by: Option<String>,
    /// What else it said, for clients of its dialect.
    pub rest: AnswerRest,
}

/// What is kept of what a provider said around the end of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnswerRest {
    /// Nothing.
    #[default]
    Nothing,
    /// The events behind the last delta; maybe none. All events before were kept, too.
    Events(Vec<ProviderEvent>),
    /// The whole answer: it came as one document.
    Document(Box<str>),
}

impl Delta {
    /// A piece of this kind.
    pub fn new(kind: TokenKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// A piece of the answer itself.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(TokenKind::Text, text)
    }
}
