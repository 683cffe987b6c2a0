use wordhoard_model::TokenKind;

use crate::{Delta, ToolCallPiece};

/// A shorter text is not worth a reference.
const SHORTEST_BYTES: usize = 24;

/// The texts that the pieces of an answer make together: those of a kind that follow each other, and the arguments of each
/// call. Some dialects tell them again, whole, when they are.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<(RunOf, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunOf {
    Kind(TokenKind),
    Call(u64),
}

impl Runs {
    pub(super) fn push(&mut self, delta: &Delta) {
        match delta.kind {
            TokenKind::Annotation => {}
            TokenKind::ToolCall => {
                let piece = ToolCallPiece::from_text(&delta.text);
                let of = RunOf::Call(piece.index);
                let arguments = piece.arguments.unwrap_or_default();
                match self.0.iter_mut().find(|(run, _)| *run == of) {
                    Some((_, so_far)) => so_far.push_str(&arguments),
                    None => self.0.push((of, arguments)),
                }
            }
            kind => match self.0.last_mut() {
                Some((run, so_far)) if *run == RunOf::Kind(kind) => so_far.push_str(&delta.text),
                _ => self.0.push((RunOf::Kind(kind), delta.text.clone())),
            },
        }
    }

    /// The run with exactly this text, where it is long enough to matter.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        if text.len() < SHORTEST_BYTES {
            return None;
        }
        self.0.iter().rposition(|(_, run)| run == text)
    }

    /// The text of a run.
    pub(super) fn get(&self, place: usize) -> Option<&str> {
        self.0.get(place).map(|(_, text)| text.as_str())
    }

    /// Whether a string of JSON, with its quotes, may be one.
    pub(super) fn may_be_one(literal: &str) -> bool {
        literal.len() >= SHORTEST_BYTES + 2
    }
}
