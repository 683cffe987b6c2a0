//! Deltas of the content, read strictly: see [`crate::plain_text`].

use serde::Deserialize;
use wordhoard_model::TokenKind;

use crate::plain_text::{Absent, Noise, PlainText};

/// What [`super::event::Event`] reads of a `content-delta`.
#[derive(Deserialize)]
struct PlainEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    delta: PlainDelta<'a>,
}

#[derive(Deserialize)]
struct PlainDelta<'a> {
    #[serde(borrow)]
    message: PlainMessage<'a>,
}

#[derive(Deserialize)]
struct PlainMessage<'a> {
    #[serde(borrow)]
    content: PlainContent<'a>,
    tool_plan: Absent,
    tool_calls: Absent,
    citations: Absent,
}

#[derive(Deserialize)]
struct PlainContent<'a> {
    text: Option<&'a str>,
    thinking: Option<&'a str>,
}

pub(super) fn read(data: &str) -> Option<PlainText<'_>> {
    let PlainEvent { kind, delta: PlainDelta { message } } = serde_json::from_str(data).ok()?;
    let (kind, text) = match (kind, message.content.text, message.content.thinking) {
        ("content-delta", Some(text), None) => (TokenKind::Text, text),
        ("content-delta", None, Some(text)) => (TokenKind::Reasoning, text),
        _ => return None,
    };
    let says_more = [message.tool_plan, message.tool_calls, message.citations].iter().any(Option::is_some);
    (!text.is_empty() && !says_more).then_some(PlainText {
        kind,
        text,
        part: (0, 0),
        noise: Noise::default(),
    })
}
