//! Chunks that say one piece of a text and nothing else, read strictly: see [`crate::plain_text`].

use serde::Deserialize;
use serde_json::value::RawValue;
use wordhoard_model::TokenKind;

use crate::plain_text::{Absent, Empty, Noise, PlainText};

/// All that [`super::chunk::Chunk`] reads is here too, most of it as what must not be there.
#[derive(Deserialize)]
pub(super) struct PlainChunk<'a> {
    pub(super) model: Option<&'a str>,
    #[serde(borrow)]
    choices: (PlainChoice<'a>,),
    usage: Absent,
    error: Absent,
    pub(super) service_tier: Option<&'a str>,
    #[serde(borrow)]
    obfuscation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PlainChoice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: PlainDelta<'a>,
    message: Absent,
    usage: Absent,
    finish_reason: Absent,
    error: Absent,
    logprobs: Absent,
}

#[derive(Deserialize)]
struct PlainDelta<'a> {
    content: Option<&'a str>,
    reasoning_content: Option<&'a str>,
    reasoning: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(rename = "tool_calls")]
    _tool_calls: Empty,
    function_call: Absent,
    #[serde(rename = "annotations")]
    _annotations: Empty,
}

impl<'a> PlainChunk<'a> {
    pub(super) fn read(data: &'a str) -> Option<Self> {
        serde_json::from_str(data).ok()
    }

    pub(super) fn into_text(self) -> Option<PlainText<'a>> {
        let (PlainChoice { index, delta, message, usage, finish_reason, error, logprobs },) = self.choices;
        let PlainDelta { content, reasoning_content, reasoning, refusal, function_call, .. } = delta;
        let more = [self.usage, self.error, message, usage, finish_reason, error, logprobs, function_call];
        let texts = [
            (TokenKind::Reasoning, reasoning_content),
            (TokenKind::Reasoning, reasoning),
            (TokenKind::Text, content),
            (TokenKind::Refusal, refusal),
        ];
        let mut said =
            texts.into_iter().filter_map(|(kind, text)| Some((kind, text.filter(|text| !text.is_empty())?)));
        match (said.next(), said.next()) {
            (Some((kind, text)), None) if index == 0 && more.iter().all(Option::is_none) => Some(PlainText {
                kind,
                text,
                part: (0, 0),
                noise: Noise { obfuscation: self.obfuscation, sequence_number: None },
            }),
            _ => None,
        }
    }
}
