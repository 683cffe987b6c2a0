//! The rest of an answer, for a client that has its first items.

use std::mem;

use bytes::BytesMut;
use serde_json::Value;
use wordhoard_model::Failure;

use super::output::parts;
use crate::{AnswerHead, Completion, Delta, EncodeStream, ProviderEvent, sse_data};

/// An encoder that leaves out the items that the client has, and counts places and events as if they had never been. Where the answer
/// does not begin with just these items, it is told whole.
pub fn behind_items(encoder: Box<dyn EncodeStream>, shown: Vec<Value>) -> Box<dyn EncodeStream> {
    if shown.is_empty() {
        return encoder;
    }
    Box::new(BehindItems {
        encoder,
        shown,
        stage: Stage::Comparing,
        held: Vec::new(),
        same: 0,
        event_count: 0,
    })
}

#[derive(Debug)]
struct BehindItems {
    encoder: Box<dyn EncodeStream>,
    /// What the client has.
    shown: Vec<Value>,
    stage: Stage,
    /// Events that are told only if the answer turns out to be another one.
    held: Vec<Value>,
    /// How many items were found to be those that the client has.
    same: usize,
    event_count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The first items are looked at.
    Comparing,
    /// They are those that the client has.
    Behind,
    /// The answer is told whole.
    Whole,
}

impl BehindItems {
    fn tell(&mut self, out: &mut BytesMut, make: impl FnOnce(&mut dyn EncodeStream, &mut BytesMut)) {
        let mut made = BytesMut::new();
        make(&mut *self.encoder, &mut made);
        let mut told = Vec::new();
        for event in sse_data::events(&made) {
            self.take(event, &mut told);
        }
        for mut event in told {
            if event.get("sequence_number").is_some() {
                event["sequence_number"] = self.event_count.into();
            }
            self.event_count += 1;
            sse_data::write(out, &event);
        }
    }

    fn take(&mut self, event: Value, told: &mut Vec<Value>) {
        if self.stage == Stage::Comparing {
            self.compare(&event);
            let is_told_at_once = self.held.is_empty() && event.get("output_index").is_none();
            if self.stage == Stage::Comparing && !is_told_at_once {
                self.held.push(event);
                return;
            }
            for held in mem::take(&mut self.held) {
                self.place(held, told);
            }
        }
        self.place(event, told);
    }

    /// An item that has ended is one of those that the client has, or the answer is another one. So it is where it ends before.
    fn compare(&mut self, event: &Value) {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "response.output_item.done" => {
                let place = event.get("output_index").and_then(Value::as_u64);
                let shown = self.shown.get(self.same);
                let is_next = place == Some(self.same as u64);
                if !is_next || !shown.is_some_and(|shown| is_same(shown, &event["item"])) {
                    self.stage = Stage::Whole;
                    return;
                }
                self.same += 1;
                if self.same == self.shown.len() {
                    self.stage = Stage::Behind;
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "error" => {
                self.stage = Stage::Whole;
            }
            _ => {}
        }
    }

    fn place(&self, mut event: Value, told: &mut Vec<Value>) {
        let left_out = if self.stage == Stage::Behind { self.shown.len() } else { 0 };
        if let Some(place) = event.get("output_index").and_then(Value::as_u64) {
            let Some(place) = place.checked_sub(left_out as u64) else { return };
            event["output_index"] = place.into();
        }
        if let Some(output) = event.pointer_mut("/response/output").and_then(Value::as_array_mut) {
            output.drain(..left_out.min(output.len()));
        }
        told.push(event);
    }
}

/// Whether an item that the client shows is this one of the answer.
fn is_same(shown: &Value, item: &Value) -> bool {
    let same = |field: &str| shown.get(field) == item.get(field);
    same("type")
        && match item.get("type").and_then(Value::as_str) {
            Some("message" | "reasoning") => texts_of(shown) == texts_of(item),
            _ => same("call_id") && same("name") && same("arguments") && same("input"),
        }
}

/// The texts of a message, or of reasoning.
fn texts_of(item: &Value) -> String {
    let parts = parts(item, "summary").chain(parts(item, "content"));
    parts.filter_map(|part| part.get("text").or_else(|| part.get("refusal"))?.as_str()).collect()
}

impl EncodeStream for BehindItems {
    fn open(&mut self, out: &mut BytesMut) {
        self.tell(out, |encoder, out| encoder.open(out));
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.tell(out, |encoder, out| encoder.delta(out, delta));
    }

    fn told(&mut self, out: &mut BytesMut, event: ProviderEvent, deltas: &[Delta]) {
        self.tell(out, |encoder, out| encoder.told(out, event, deltas));
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wordhoard_model::TokenKind;

    use super::*;
    use crate::openai_responses::stream_encoder;

    /// The text of the answer's output, told behind these items.
    fn told(shown: Vec<Value>) -> (Vec<String>, Vec<u64>) {
        let head = AnswerHead { id: "resp_1".into(), created_s: 0, model: "m".into() };
        let mut encoder = behind_items(stream_encoder(head), shown);
        let mut out = BytesMut::new();
        encoder.open(&mut out);
        for (kind, text) in [
            (TokenKind::Reasoning, "I "),
            (TokenKind::Reasoning, "think"),
            (TokenKind::Text, "He"),
            (TokenKind::Text, "llo"),
        ] {
            encoder.delta(&mut out, &Delta::new(kind, text));
        }
        encoder.finish(&mut out, &Completion::default());
        let events: Vec<Value> = sse_data::events(&out).collect();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number, "{event}");
        }
        let output = events.last().unwrap()["response"]["output"].as_array().unwrap();
        let added = events.iter().filter(|event| event["type"] == "response.output_item.added");
        (
            output.iter().map(texts_of).collect(),
            added.filter_map(|event| event["output_index"].as_u64()).collect(),
        )
    }

    #[test]
    fn what_the_client_has_is_left_out_and_nothing_else() {
        let reasoning = json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "I think"}], "content": null});
        let message = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
        let rest = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(told(vec![reasoning.clone()]), (rest(&["Hello"]), vec![0]));
        assert_eq!(told(vec![reasoning.clone(), message("Hello")]), (Vec::new(), Vec::new()));
        let whole = (rest(&["I think", "Hello"]), vec![0, 1]);
        for other in [
            vec![message("Hello")],
            vec![reasoning.clone(), message("Hel")],
            vec![json!({"type": "reasoning", "summary": []})],
            vec![reasoning, message("Hello"), message("more")],
        ] {
            assert_eq!(told(other.clone()), whole, "{other:?}");
        }
    }
}
