use crate::name_table::name_table;
use crate::{AttemptSeq, TokenIndex};

/// One delta as the provider sent it. It is the provider's chunk, kept verbatim; it need not be one token of a
/// tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The attempt that received it.
    pub attempt_seq: AttemptSeq,
    /// Its place within that attempt.
    pub token_index: TokenIndex,
    /// What it is a piece of.
    pub kind: TokenKind,
    /// The piece itself. For a tool call it is a JSON object `{"index", "id"?, "name"?, "arguments"?}`.
    pub text: String,
    /// The provider's events that this token and those behind it stood in, for clients that speak the provider's dialect: as
    /// `wordhoard-record` codes the events of a frame. None where they are not kept, or stand with an earlier token.
    pub events: Option<Box<[u8]>>,
}

/// What a token is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// The answer itself.
    Text,
    /// The model's reasoning, where the provider shows it.
    Reasoning,
    /// A fragment of a tool call.
    ToolCall,
    /// The text of a refusal, where the provider tells it apart from the answer.
    Refusal,
    /// What the provider says about its answer and is none of these (a citation, the signature of a reasoning): a
    /// compact JSON object in the provider's own shape.
    Annotation,
}

name_table!(TokenKind {
    Text => "text",
    Reasoning => "reasoning",
    ToolCall => "tool_call",
    Refusal => "refusal",
    Annotation => "annotation",
});
