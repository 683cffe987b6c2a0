//! Events of a provider of this dialect, passed through to a client of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::encoder::{stream_encoder, write};
use super::plain_delta;
use crate::pass_through::{self, PassThrough, Rules, Whole};
use crate::plain_text::Template;
use crate::{AnswerHead, Completion, EncodeStream, ProviderEvent, tolerant};

const STOP: &str = "message_stop";

/// An encoder that passes a provider's events through.
pub fn passing_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    Box::new(PassThrough::new(MessageRules::default(), stream_encoder(head)))
}

#[derive(Debug, Default)]
struct MessageRules {
    has_stopped: bool,
}

impl Rules for MessageRules {
    fn event(&mut self, event: ProviderEvent, _event_count: u64) -> Option<ProviderEvent> {
        self.has_stopped |= event.name.as_deref() == Some(STOP);
        Some(event)
    }

    fn end(&self, out: &mut BytesMut) {
        if !self.has_stopped {
            write(out, STOP, json!({"type": STOP}));
        }
    }
}

/// A provider's answer as one body, with all that it said; none where that is not kept.
pub fn passed_answer(events: Vec<ProviderEvent>, completion: &Completion) -> Option<Vec<u8>> {
    let events = match pass_through::whole(&mut MessageRules::default(), events, completion)? {
        Whole::Document(body) => return Some(body.into_bytes()),
        Whole::Events(events) => events,
    };
    let mut message = Message::default();
    // Nearly all events are like the one before but for their text.
    let mut known: Option<(Template, u64, &str)> = None;
    for event in &events {
        let name = event.name.as_deref();
        let said = known
            .as_ref()
            .and_then(|(known, index, field)| Some((*index, *field, known.read(name, &event.data)?.text)));
        if let Some((index, field, text)) = said {
            message.go_on(index, field, text.into());
            continue;
        }
        let Ok(told) = tolerant::read::<Value>(&event.data) else { continue };
        known = plain_field(&told).and_then(|(index, field)| {
            let plain = plain_delta::read(&event.data)?;
            Some((Template::of(name, &event.data, &plain)?, index, field))
        });
        message.take(told);
    }
    Some(message.into_value()?.to_string().into_bytes())
}

/// A message that is put together from its events, as the official clients do:
/// <https://github.com/anthropics/anthropic-sdk-python>, `lib/streaming/_messages.py`.
#[derive(Debug, Default)]
struct Message {
    fields: Map<String, Value>,
    blocks: BTreeMap<u64, Value>,
    /// The JSON of the input of a tool, as far as it was told.
    inputs: BTreeMap<u64, String>,
}

/// The block and the field that a delta goes on with, where it is one of text or thinking and says nothing besides.
fn plain_field(event: &Value) -> Option<(u64, &'static str)> {
    let delta = event["delta"].as_object().filter(|delta| delta.len() == 2)?;
    let field = match delta.get("type")?.as_str()? {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        _ => return None,
    };
    Some((index_of(event), field))
}

/// The number of the block that an event is of; servers exist that write it as a text.
fn index_of(event: &Value) -> u64 {
    let index = &event["index"];
    index.as_u64().or_else(|| index.as_str()?.trim().parse().ok()).unwrap_or_default()
}

impl Message {
    fn take(&mut self, mut event: Value) {
        let index = index_of(&event);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => merge(&mut self.fields, event["message"].take()),
            "content_block_start" => drop(self.blocks.insert(index, event["content_block"].take())),
            "content_block_delta" => self.take_delta(index, event["delta"].take()),
            "message_delta" => {
                merge(&mut self.fields, event["delta"].take());
                if let Value::Object(mut rest) = event {
                    ["type", "delta"].iter().for_each(|name| drop(rest.remove(*name)));
                    merge(&mut self.fields, rest.into());
                }
            }
            _ => {}
        }
    }

    fn take_delta(&mut self, index: u64, mut delta: Value) {
        let kind = delta["type"].as_str().unwrap_or_default();
        let block = match (self.blocks.entry(index), kind) {
            (Entry::Occupied(block), _) => block.into_mut(),
            // Servers exist that do not say that a block begins.
            (Entry::Vacant(none), "text_delta") => none.insert(json!({"type": "text", "text": ""})),
            (Entry::Vacant(none), "thinking_delta") => {
                none.insert(json!({"type": "thinking", "thinking": ""}))
            }
            (Entry::Vacant(_), _) => return,
        };
        match kind {
            "input_json_delta" => {
                let piece = delta["partial_json"].as_str().unwrap_or_default();
                self.inputs.entry(index).or_default().push_str(piece);
            }
            "citations_delta" => match &mut block["citations"] {
                Value::Array(citations) => citations.push(delta["citation"].take()),
                none => *none = json!([delta["citation"].take()]),
            },
            // Of text, reasoning, signatures, and what is still to come: each names the field that it goes on with.
            _ => {
                let Value::Object(mut fields) = delta else { return };
                fields.remove("type");
                fields.into_iter().for_each(|(name, piece)| self.go_on(index, &name, piece));
            }
        }
    }

    /// Adds the next piece of a field of a block.
    fn go_on(&mut self, index: u64, name: &str, piece: Value) {
        let Some(block) = self.blocks.get_mut(&index) else { return };
        match (&mut block[name], piece) {
            (Value::String(so_far), Value::String(piece)) => so_far.push_str(&piece),
            (so_far, piece) => *so_far = piece,
        }
    }

    fn into_value(mut self) -> Option<Value> {
        for (index, input) in self.inputs {
            let block = self.blocks.get_mut(&index)?;
            // The model may write what is none.
            block["input"] = serde_json::from_str(&input).unwrap_or_else(|_| json!({}));
        }
        (!self.fields.is_empty()).then_some(())?;
        self.fields.insert("content".to_owned(), self.blocks.into_values().collect());
        Some(self.fields.into())
    }
}

/// Later values take the place of earlier ones, field by field; null that of none.
fn merge(fields: &mut Map<String, Value>, later: Value) {
    let Value::Object(later) = later else { return };
    for (name, value) in later {
        match (fields.get_mut(&name), value) {
            (Some(Value::Object(so_far)), later @ Value::Object(_)) => merge(so_far, later),
            (Some(_), Value::Null) => {}
            (_, value) => drop(fields.insert(name, value)),
        }
    }
}
