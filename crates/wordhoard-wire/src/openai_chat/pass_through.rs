//! Chunks of a provider of this dialect, passed through to a client of it.

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::encoder::stream_encoder_for;
use super::plain_chunk::PlainChunk;
use super::{DONE, completion};
use crate::pass_through::{self, PassThrough, Rules, Whole};
use crate::plain_text::Template;
use crate::tool_shape::ToolShapes;
use crate::{AnswerHead, Asked, Completion, Delta, EncodeStream, ProviderEvent, sse};

/// An encoder that passes a provider's chunks through.
pub fn passing_encoder(head: AnswerHead, include_usage: bool, asked: Asked) -> Box<dyn EncodeStream> {
    let rules = ChunkRules { include_usage, head: None, has_begun: false };
    Box::new(PassThrough::new(rules, stream_encoder_for(head, include_usage, asked)))
}

#[derive(Debug)]
struct ChunkRules {
    /// Providers are always asked for the usage. A client that did not ask may not expect a chunk without a choice.
    include_usage: bool,
    /// Of the first chunk.
    head: Option<AnswerHead>,
    has_begun: bool,
}

impl Rules for ChunkRules {
    fn event(&mut self, event: ProviderEvent, _event_count: u64) -> Option<ProviderEvent> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if !is_first && (self.include_usage || event.delta_count > 0) {
            return Some(event);
        }
        let chunk: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if let (true, Some(id)) = (is_first, chunk["id"].as_str()) {
            let model = chunk["model"].as_str().unwrap_or_default().to_owned();
            let created_s = chunk["created"].as_u64().unwrap_or_default();
            self.head = Some(AnswerHead { id: id.to_owned(), created_s, model });
        }
        let is_usage = chunk["choices"].as_array().is_some_and(Vec::is_empty) && chunk["usage"].is_object();
        (self.include_usage || !is_usage).then_some(event)
    }

    fn head(&self) -> Option<&AnswerHead> {
        self.head.as_ref()
    }

    fn is_told_in_blocks(&self) -> bool {
        false
    }

    fn end(&self, out: &mut BytesMut) {
        sse::write_event(out, None, None, None, DONE);
    }
}

/// A provider's answer as one body, with all that it said; none where that is not kept.
pub fn passed_answer(
    events: Vec<ProviderEvent>,
    deltas: &[Delta],
    completion: &Completion,
) -> Option<Vec<u8>> {
    let mut rules = ChunkRules { include_usage: true, head: None, has_begun: false };
    let events = match pass_through::whole(&mut rules, events, completion)? {
        Whole::Document(body) => return Some(body.into_bytes()),
        Whole::Events(events) => events,
    };
    let (mut body, mut choice) =
        (Map::new(), completion::choice(0, "", &ToolShapes::default(), deltas, completion));
    let mut message = MessageParts::of(choice["message"].take());
    // Nearly all events are like the one before but for their text, which the pieces hold.
    let mut known: Option<Template> = None;
    for event in events {
        let name = event.name.as_deref();
        if known.as_ref().is_some_and(|known| known.read(name, &event.data).is_some()) {
            continue;
        }
        let Ok(Value::Object(mut chunk)) = serde_json::from_str(&event.data) else { continue };
        known = match adds_nothing_again(&chunk) {
            true => PlainChunk::read(&event.data)
                .and_then(PlainChunk::into_text)
                .and_then(|plain| Template::of(name, &event.data, &plain)),
            false => None,
        };
        if let Some(Value::Array(choices)) = chunk.remove("choices") {
            for mut told in choices.into_iter().filter_map(into_object) {
                message.take(told.remove("delta").and_then(into_object).unwrap_or_default());
                told.retain(|name, value| name != "logprobs" && !value.is_null());
                told.into_iter().for_each(|(name, value)| choice[name] = value);
            }
        }
        chunk.retain(|name, value| !value.is_null() || !body.contains_key(name));
        body.extend(chunk);
    }
    choice["message"] = message.message.into();
    body.remove("obfuscation");
    body.insert("object".to_owned(), "chat.completion".into());
    body.insert("choices".to_owned(), json!([choice]));
    Some(Value::Object(body).to_string().into_bytes())
}

/// Whether a second such chunk would add nothing to the message, whatever its text: it has no field that is told in pieces and that
/// the pieces of the answer do not hold.
fn adds_nothing_again(chunk: &Map<String, Value>) -> bool {
    let choices = chunk.get("choices").and_then(Value::as_array);
    let mut deltas = choices.into_iter().flatten().filter_map(|choice| choice.get("delta")?.as_object());
    let is_held = |(name, value): (&String, &Value)| {
        value.is_null()
            || matches!(name.as_str(), "role" | "content" | "refusal" | "annotations" | "function_call")
    };
    deltas.all(|delta| delta.iter().all(is_held))
}

/// A message, to which is added what its pieces do not hold.
struct MessageParts {
    message: Map<String, Value>,
    /// Where each call of a tool stands in it, by the number of the call.
    calls: Vec<u64>,
}

impl MessageParts {
    fn of(message: Value) -> Self {
        let mut message = into_object(message).unwrap_or_default();
        // It comes back under the name that the provider has for it.
        message.remove("reasoning_content");
        Self { message, calls: Vec::new() }
    }

    /// As the official clients do: <https://github.com/openai/openai-python>, `lib/streaming/_deltas.py`.
    fn take(&mut self, delta: Map<String, Value>) {
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("role" | "content" | "refusal" | "annotations" | "function_call", _) => {}
                ("tool_calls", Value::Array(calls)) => {
                    for (place, call) in (0..).zip(calls.into_iter().filter_map(into_object)) {
                        self.take_call(place, call);
                    }
                }
                (_, value) => add(self.message.entry(name).or_insert(Value::Null), value),
            }
        }
    }

    fn take_call(&mut self, place: u64, mut call: Map<String, Value>) {
        let index = call.remove("index").and_then(|index| index.as_u64()).unwrap_or(place);
        let at = self.calls.iter().position(|known| *known == index).unwrap_or_else(|| {
            self.calls.push(index);
            self.calls.len() - 1
        });
        let Some(whole) = self.message.get_mut("tool_calls").and_then(|calls| calls.get_mut(at)) else {
            return;
        };
        let is_known = |name: &str| matches!(name, "id" | "type" | "function");
        call.into_iter().filter(|(name, _)| !is_known(name)).for_each(|(name, value)| {
            add(&mut whole[name], value);
        });
    }
}

/// Adds the next piece of a field.
fn add(so_far: &mut Value, piece: Value) {
    match (so_far, piece) {
        (_, Value::Null) => {}
        (Value::String(so_far), Value::String(piece)) => so_far.push_str(&piece),
        (Value::Array(so_far), Value::Array(piece)) => so_far.extend(piece),
        (Value::Object(so_far), Value::Object(piece)) => {
            piece.into_iter().for_each(|(name, value)| add(so_far.entry(name).or_insert(Value::Null), value));
        }
        (so_far, piece) => *so_far = piece,
    }
}

fn into_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}
