use wordhoard_model::{FinishReason, TokenKind, Usage};

/// One piece of an answer as the provider sent it. It becomes one token; its text is never changed, joined or split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// What it is a piece of.
    pub kind: TokenKind,
    /// The piece itself, never empty. For a tool call it is a compact JSON object
    /// `{"index", "id"?, "name"?, "arguments"?}`.
    pub text: String,
    /// What the provider's event says around it, for clients of the provider's dialect; none where it is not kept, or
    /// where nothing is new. Its form is that of [`envelope`](crate::envelope).
    pub envelope: Option<Box<str>>,
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
    /// What the provider's last events say around the end, as [`Delta::envelope`].
    pub envelope: Option<Box<str>>,
}

impl Delta {
    /// A piece in no envelope.
    pub fn new(kind: TokenKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), envelope: None }
    }

    /// A piece of the answer itself.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(TokenKind::Text, text)
    }
}
