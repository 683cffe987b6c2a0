//! The pieces of an answer put together, for dialects and clients that take it whole.

use serde_json::Value;
use wordhoard_model::TokenKind;

use crate::call_order::CallOrder;
use crate::{Delta, ToolCallPiece};

/// A part of a whole answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    /// Text that came without anything else in between.
    Text(String),
    /// The same of reasoning.
    Reasoning(String),
    /// The same of a refusal.
    Refusal(String),
    /// A call of a tool, all its fragments joined.
    ToolCall(ToolCallPiece),
    /// What the provider said beside it.
    Annotation(Value),
}

/// The parts of an answer, in the order of their first pieces. Ids of calls that have to be made begin with that prefix.
pub(crate) fn blocks(prefix: &str, answer_id: &str, deltas: &[Delta]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for Delta { kind, text, .. } in &CallOrder::all(prefix, answer_id, deltas) {
        match (kind, blocks.last_mut()) {
            (TokenKind::Text, Some(Block::Text(so_far)))
            | (TokenKind::Reasoning, Some(Block::Reasoning(so_far)))
            | (TokenKind::Refusal, Some(Block::Refusal(so_far))) => so_far.push_str(text),
            (TokenKind::Text, _) => blocks.push(Block::Text(text.clone())),
            (TokenKind::Reasoning, _) => blocks.push(Block::Reasoning(text.clone())),
            (TokenKind::Refusal, _) => blocks.push(Block::Refusal(text.clone())),
            (TokenKind::Annotation, _) => {
                blocks.extend(serde_json::from_str(text).ok().map(Block::Annotation));
            }
            (TokenKind::ToolCall, _) => add_fragment(&mut blocks, ToolCallPiece::from_text(text)),
        }
    }
    blocks
}

fn add_fragment(blocks: &mut Vec<Block>, piece: ToolCallPiece) {
    let of_call = |block: &&mut Block| matches!(block, Block::ToolCall(call) if call.index == piece.index);
    match blocks.iter_mut().find(of_call) {
        Some(Block::ToolCall(call)) => call.append(piece),
        _ => blocks.push(Block::ToolCall(piece)),
    }
}

impl ToolCallPiece {
    /// Appends the next fragment of the same call.
    pub(crate) fn append(&mut self, next: Self) {
        self.id = self.id.take().or(next.id);
        self.name = self.name.take().or(next.name);
        self.arguments.get_or_insert_default().push_str(&next.arguments.unwrap_or_default());
    }

    /// The arguments of a whole call as JSON; an empty object where they are none.
    pub(crate) fn input(&self) -> Value {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        serde_json::from_str(arguments).ok().filter(Value::is_object).unwrap_or_else(|| serde_json::json!({}))
    }
}
