use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wordhoard_model::{AttemptSeq, Token, TokenIndex, TokenKind};

/// The kind is a number, not a name: this record is written for every token.
#[derive(Serialize, Deserialize)]
pub(in crate::record) struct TokenV1<'a> {
    attempt_seq: u32,
    token_index: u64,
    kind: u8,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

const KINDS: [(u8, TokenKind); 5] = [
    (0, TokenKind::Text),
    (1, TokenKind::Reasoning),
    (2, TokenKind::ToolCall),
    (3, TokenKind::Refusal),
    (4, TokenKind::Annotation),
];

impl<'a> TokenV1<'a> {
    pub(in crate::record) fn from_model(token: &'a Token) -> Self {
        let kind = match token.kind {
            TokenKind::Text => 0,
            TokenKind::Reasoning => 1,
            TokenKind::ToolCall => 2,
            TokenKind::Refusal => 3,
            TokenKind::Annotation => 4,
        };
        Self {
            attempt_seq: token.attempt_seq.0,
            token_index: token.token_index.0,
            kind,
            text: Cow::Borrowed(&token.text),
        }
    }

    pub(in crate::record) fn into_model(self) -> Result<Token, String> {
        let kind = KINDS.iter().find(|(number, _)| *number == self.kind);
        let (_, kind) = kind.ok_or_else(|| format!("{} is no kind of token", self.kind))?;
        Ok(Token {
            attempt_seq: AttemptSeq(self.attempt_seq),
            token_index: TokenIndex(self.token_index),
            kind: *kind,
            text: self.text.into_owned(),
            envelope: None,
        })
    }
}
