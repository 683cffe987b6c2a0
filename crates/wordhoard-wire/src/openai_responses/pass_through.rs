//! Events of a provider of this dialect, passed through to a client of it. The client knows the response by our id, and by
//! the numbers of our stream it resumes; all else is the provider's. What clients need of a whole response and a provider
//! leaves out, we put there: not all servers of this dialect tell the whole again at the end.

use std::collections::HashMap;

use bytes::BytesMut;
use serde_json::{Map, Value};

use super::answer::encode_answer_for;
use super::encoder::{id_prefix, stream_encoder_for};
use super::own_fields;
use crate::pass_through::{self, PassThrough, Rules, Whole};
use crate::sse_data;
use crate::{AnswerHead, AnswerRest, Asked, Completion, Delta, EncodeStream, ProviderEvent};

/// What the server does by itself, so that the provider was not asked for it.
const OURS: [&str; 2] = ["background", "previous_response_id"];
/// What our own opening has told already.
const OPENING: [&str; 2] = ["response.created", "response.in_progress"];

/// An encoder that passes a provider's events through. A response of them repeats of its request what the provider was not
/// told.
pub fn passing_encoder(head: AnswerHead, asked: Asked) -> Box<dyn EncodeStream> {
    let rules = ResponseRules::new(&head, &asked.repeated);
    let opening = OPENING.len() as u64;
    Box::new(PassThrough::new(rules, stream_encoder_for(head, asked)).opening_at_once(opening))
}

#[derive(Debug)]
struct ResponseRules {
    id: String,
    /// The provider's id of the response, once it has said it.
    provider_id: Option<String>,
    ours: Map<String, Value>,
    /// The response as we know it, once it is whole.
    known: Map<String, Value>,
    /// The items that the client has heard of, by their places.
    items: HashMap<u64, Known>,
}

/// An item that a provider has begun.
#[derive(Debug)]
struct Known {
    id: Value,
    /// With which our id of such an item would begin.
    prefix: &'static str,
}

impl Known {
    /// Some items of providers have no counterpart of ours, so that the places are not always those of the same item.
    fn take_the_place_of(&self, written: &mut Value) {
        let is_of_the_kind = written.as_str().is_some_and(|id| id.starts_with(self.prefix));
        if is_of_the_kind {
            *written = self.id.clone();
        }
    }
}

impl ResponseRules {
    fn new(head: &AnswerHead, asked: &Map<String, Value>) -> Self {
        let ours = OURS.iter().filter_map(|name| Some(((*name).to_owned(), asked.get(*name)?.clone())));
        let kept = ("store".to_owned(), Value::Bool(true));
        Self {
            id: head.id.clone(),
            provider_id: None,
            ours: ours.chain([kept]).collect(),
            known: Map::new(),
            items: HashMap::new(),
        }
    }

    fn own(&self, response: &mut Map<String, Value>) {
        response.insert("id".to_owned(), self.id.as_str().into());
        response.extend(self.ours.clone());
        for (name, known) in &self.known {
            let is_missing = match response.get(name) {
                None => true,
                Some(told) => name == "output" && told.as_array().is_none_or(Vec::is_empty),
            };
            if is_missing {
                response.insert(name.clone(), known.clone());
            }
        }
    }
}

impl Rules for ResponseRules {
    fn event(&mut self, event: ProviderEvent, event_count: u64) -> Option<ProviderEvent> {
        let data = own_fields::written(&event.data, event_count, self.provider_id.as_deref(), &self.id);
        let data = numbered(data, event_count);
        // A piece of the answer needs no more; but a server may tell the answer only with the whole response.
        if event.delta_count > 0 && memchr::memmem::find(data.as_bytes(), b"\"response\"").is_none() {
            return Some(ProviderEvent { data, ..event });
        }
        let mut told: Value = serde_json::from_str(&data).unwrap_or_default();
        if self.provider_id.is_none() {
            self.provider_id = told.pointer("/response/id").and_then(Value::as_str).map(str::to_owned);
        }
        if let (Some(place), Some(id)) = (told["output_index"].as_u64(), told.pointer("/item/id")) {
            let prefix = id_prefix(told.pointer("/item/type").and_then(Value::as_str));
            self.items.insert(place, Known { id: id.clone(), prefix });
        }
        if told["type"].as_str().is_some_and(|kind| OPENING.contains(&kind)) {
            return None;
        }
        let Some(response) = told.get_mut("response").and_then(Value::as_object_mut) else {
            return Some(ProviderEvent { data, ..event });
        };
        self.own(response);
        Some(ProviderEvent { data: told.to_string(), ..event })
    }

    fn taken_over(&mut self, events: BytesMut) -> BytesMut {
        if self.items.is_empty() {
            return events;
        }
        let mut out = BytesMut::with_capacity(events.len());
        for mut told in sse_data::events(&events) {
            let known = told["output_index"].as_u64().and_then(|place| self.items.get(&place));
            for place in ["/item_id", "/item/id"] {
                if let (Some(known), Some(written)) = (known, told.pointer_mut(place)) {
                    known.take_the_place_of(written);
                }
            }
            let output = told.pointer_mut("/response/output").and_then(Value::as_array_mut);
            for (place, item) in (0..).zip(output.into_iter().flatten()) {
                if let (Some(known), Some(written)) = (self.items.get(&place), item.get_mut("id")) {
                    known.take_the_place_of(written);
                }
            }
            sse_data::write(&mut out, &told);
        }
        out
    }

    fn needs_own_end(&self) -> bool {
        true
    }

    fn own_end(&mut self, events: &[u8]) {
        let mut last = sse_data::events(events).last().unwrap_or_default();
        if let Value::Object(known) = last["response"].take() {
            self.known = known;
        }
    }

    fn end(&self, _out: &mut BytesMut) {}
}

/// The event with its number, which some servers leave out: it is resumed by.
fn numbered(data: String, number: u64) -> String {
    if memchr::memmem::find(data.as_bytes(), b"\"sequence_number\"").is_some() {
        return data;
    }
    match serde_json::from_str(&data) {
        Ok(Value::Object(mut told)) => {
            told.insert("sequence_number".to_owned(), number.into());
            Value::Object(told).to_string()
        }
        _ => data,
    }
}

/// A provider's answer as one body, with all that it said; none where that is not kept.
pub fn passed_answer(
    head: &AnswerHead,
    asked: &Asked,
    ended_at_s: Option<u64>,
    events: Vec<ProviderEvent>,
    deltas: &[Delta],
    completion: &Completion,
) -> Option<Vec<u8>> {
    if completion.rest == AnswerRest::Nothing {
        return None;
    }
    let known = encode_answer_for(head, asked.clone(), ended_at_s, deltas, completion);
    let known = serde_json::from_slice(&known).unwrap_or_default();
    let mut rules = ResponseRules { known, ..ResponseRules::new(head, &asked.repeated) };
    let response = match pass_through::whole(&mut rules, events, completion)? {
        Whole::Document(body) => {
            let mut response: Map<String, Value> = serde_json::from_str(&body).ok()?;
            rules.own(&mut response);
            Value::Object(response)
        }
        Whole::Events(events) => {
            let mut last: Value = serde_json::from_str(&events.last()?.data).ok()?;
            last.get_mut("response").map(Value::take)?
        }
    };
    Some(response.to_string().into_bytes())
}
