//! Deltas of a block of text or thinking, read strictly: see [`crate::plain_text`].

use serde::Deserialize;
use wordhoard_model::TokenKind;

use crate::plain_text::{Absent, Noise, PlainText};

/// What [`super::event::Event`] reads of a `content_block_delta`.
#[derive(Deserialize)]
struct PlainEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    /// Nothing depends on it in a text, but it must be readable.
    #[serde(default, rename = "index")]
    _index: u64,
    #[serde(borrow)]
    delta: PlainDelta<'a>,
}

#[derive(Deserialize)]
struct PlainDelta<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    text: Option<&'a str>,
    thinking: Option<&'a str>,
    partial_json: Absent,
}

pub(super) fn read(data: &str) -> Option<PlainText<'_>> {
    let PlainEvent { kind, delta, .. } = serde_json::from_str(data).ok()?;
    let (kind, text) = match (kind, delta.kind, delta.text, delta.thinking) {
        ("content_block_delta", "text_delta", Some(text), None) => (TokenKind::Text, text),
        ("content_block_delta", "thinking_delta", None, Some(text)) => (TokenKind::Reasoning, text),
        _ => return None,
    };
    let is_plain = !text.is_empty() && delta.partial_json.is_none();
    is_plain.then_some(PlainText { kind, text, part: (0, 0), noise: Noise::default() })
}
