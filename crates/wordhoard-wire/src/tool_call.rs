use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use wordhoard_model::TokenKind;

use crate::Delta;

/// A fragment of a tool call, as the text of a [`Delta`](crate::Delta) carries it: compact JSON in this order, without
/// what is absent. The first fragment of a call has its id and name; the arguments of all, joined, are its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCallPiece {
    /// Which call of the answer, from 0. Parallel calls are told apart by it.
    pub index: u64,
    /// The call's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A piece of the arguments' JSON; it may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

impl ToolCallPiece {
    /// The piece as compact JSON; none where it says nothing.
    pub(crate) fn to_text(&self) -> Option<String> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        if self.id.is_none() && self.name.is_none() && arguments.is_empty() {
            return None;
        }
        serde_json::to_string(self).ok()
    }

    /// The piece that a delta's text holds. A text that is none is taken for a piece of arguments, so that nothing is
    /// lost of it.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text)
            .unwrap_or_else(|_| Self { arguments: Some(text.to_owned()), ..Self::default() })
    }
}

impl Delta {
    /// The piece with the name of its tool as the request has it, where the provider knows that tool by another.
    #[must_use]
    pub fn with_tool_name(self, names: &HashMap<String, String>) -> Self {
        if self.kind != TokenKind::ToolCall || names.is_empty() {
            return self;
        }
        let piece = ToolCallPiece::from_text(&self.text);
        match piece.name.as_ref().and_then(|name| names.get(name)) {
            Some(name) => {
                let renamed = ToolCallPiece { name: Some(name.clone()), ..piece };
                Self { text: renamed.to_text().unwrap_or_default(), ..self }
            }
            None => self,
        }
    }
}
