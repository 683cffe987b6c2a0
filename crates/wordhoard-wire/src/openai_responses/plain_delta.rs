//! Deltas of a text, read strictly: see [`crate::plain_text`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::output::Slot;
use crate::plain_text::{Empty, Noise, PlainText};

/// What [`super::event::Event`] reads of such an event.
#[derive(Deserialize)]
struct PlainEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
    delta: &'a str,
    #[serde(rename = "logprobs")]
    _logprobs: Empty,
    #[serde(borrow)]
    obfuscation: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
}

pub(super) fn read(data: &str) -> Option<PlainText<'_>> {
    let event: PlainEvent<'_> = serde_json::from_str(data).ok()?;
    let slot = match event.kind {
        "response.output_text.delta" => Slot::Text,
        "response.refusal.delta" => Slot::Refusal,
        "response.reasoning_summary_text.delta" => Slot::Summary,
        // A kind has one slot that is found by it.
        _ => return None,
    };
    let PlainEvent { delta: text, obfuscation, sequence_number, .. } = event;
    let noise = Noise { obfuscation, sequence_number };
    let part = (event.output_index.unwrap_or(0), event.content_index.or(event.summary_index).unwrap_or(0));
    (!text.is_empty()).then_some(PlainText { kind: slot.kind(), text, part, noise })
}
