//! The rest of an answer, for a client that has its first items.

use bytes::BytesMut;
use serde_json::Value;
use wordhoard_model::Failure;

use crate::{AnswerHead, Completion, Delta, EncodeStream, sse_data};

/// An encoder that leaves the first items out, and counts places and events as if they had never been.
pub fn behind_items(encoder: Box<dyn EncodeStream>, shown_items: usize) -> Box<dyn EncodeStream> {
    match shown_items {
        0 => encoder,
        _ => Box::new(BehindItems { encoder, shown_items, event_count: 0 }),
    }
}

#[derive(Debug)]
struct BehindItems {
    encoder: Box<dyn EncodeStream>,
    shown_items: usize,
    event_count: u64,
}

impl BehindItems {
    fn tell(&mut self, out: &mut BytesMut, make: impl FnOnce(&mut dyn EncodeStream, &mut BytesMut)) {
        let mut made = BytesMut::new();
        make(&mut *self.encoder, &mut made);
        let events = sse_data::rewrite(made, |told| self.place(told));
        out.extend_from_slice(&events);
    }

    /// Whether the event is told.
    fn place(&mut self, told: &mut Value) -> bool {
        if let Some(place) = told.get("output_index").and_then(Value::as_u64) {
            let Some(place) = place.checked_sub(self.shown_items as u64) else { return false };
            told["output_index"] = place.into();
        }
        if let Some(output) = told.pointer_mut("/response/output").and_then(Value::as_array_mut) {
            output.drain(..self.shown_items.min(output.len()));
        }
        if told.get("sequence_number").is_some() {
            told["sequence_number"] = self.event_count.into();
        }
        self.event_count += 1;
        true
    }
}

impl EncodeStream for BehindItems {
    fn open(&mut self, out: &mut BytesMut) {
        self.tell(out, |encoder, out| encoder.open(out));
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.tell(out, |encoder, out| encoder.delta(out, delta));
    }

    fn another_call(&mut self, out: &mut BytesMut) {
        self.tell(out, |encoder, out| encoder.another_call(out));
    }

    fn take_over(&mut self, head: Option<&AnswerHead>, event_count: u64) {
        self.encoder.take_over(head, event_count);
    }

    fn ended(&mut self, at_s: u64) {
        self.encoder.ended(at_s);
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.tell(out, |encoder, out| encoder.finish(out, completion));
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        self.tell(out, |encoder, out| encoder.fail(out, failure));
    }
}
