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
    /// Why it stopped.
    pub finish_reason: Option<FinishReason>,
    /// What it counted.
    pub usage: Option<Usage>,
    /// The model that it says has answered.
    pub answered_by: Option<String>,
}

impl Delta {
    /// A piece of the answer itself.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: TokenKind::Text, text: text.into() }
    }
}
