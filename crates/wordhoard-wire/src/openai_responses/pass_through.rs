//! Events of a provider of this dialect, passed through to a client of it. The client knows the response by our id, and by
//! the numbers of our stream it resumes; all else is the provider's.

use bytes::BytesMut;
use serde_json::{Map, Value};

use super::encoder::stream_encoder_for;
use crate::envelope::{WireEvent, fill_own};
use crate::pass_through::{self, PassThrough, Rules, Whole};
use crate::{AnswerHead, Completion, Delta, EncodeStream};

/// What the server does by itself, so that the provider was not asked for it.
const OURS: [&str; 2] = ["background", "previous_response_id"];
/// What our own opening has told already.
const OPENING: [&str; 2] = ["response.created", "response.in_progress"];

/// An encoder that passes a provider's events through. A response of them repeats of its request what the provider was not
/// told.
pub fn passing_encoder(head: AnswerHead, asked: Map<String, Value>) -> Box<dyn EncodeStream> {
    let rules = ResponseRules::new(&head, &asked);
    let opening = OPENING.len() as u64;
    Box::new(PassThrough::new(rules, stream_encoder_for(head, asked)).opening_at_once(opening))
}

#[derive(Debug)]
struct ResponseRules {
    id: String,
    ours: Map<String, Value>,
}

impl ResponseRules {
    fn new(head: &AnswerHead, asked: &Map<String, Value>) -> Self {
        let ours = OURS.iter().filter_map(|name| Some(((*name).to_owned(), asked.get(*name)?.clone())));
        let kept = ("store".to_owned(), Value::Bool(true));
        Self { id: head.id.clone(), ours: ours.chain([kept]).collect() }
    }

    fn own(&self, response: &mut Map<String, Value>) {
        response.insert("id".to_owned(), self.id.as_str().into());
        response.extend(self.ours.clone());
    }
}

impl Rules for ResponseRules {
    fn event(&mut self, event: WireEvent, event_count: u64) -> Option<WireEvent> {
        let data = fill_own(&event.data, event_count, &self.id);
        if !event.is_without_piece {
            return Some(WireEvent { data, ..event });
        }
        let mut told: Value = serde_json::from_str(&data).unwrap_or_default();
        if told["type"].as_str().is_some_and(|kind| OPENING.contains(&kind)) {
            return None;
        }
        let Some(response) = told.get_mut("response").and_then(Value::as_object_mut) else {
            return Some(WireEvent { data, ..event });
        };
        self.own(response);
        Some(WireEvent { data: told.to_string(), ..event })
    }

    fn end(&self, _out: &mut BytesMut) {}
}

/// A provider's answer as one body, with all that it said; none where that is not kept.
pub fn passed_answer(
    head: &AnswerHead,
    asked: &Map<String, Value>,
    deltas: &[Delta],
    completion: &Completion,
) -> Option<Vec<u8>> {
    let mut rules = ResponseRules::new(head, asked);
    let response = match pass_through::whole(&mut rules, deltas, completion)? {
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
