//! The pieces of an answer in an order in which every dialect can write them: calls of tools one after the other, each with
//! its id and its name from the first.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;
use wordhoard_model::{Failure, TokenKind};

use crate::json_depth::JsonDepth;
use crate::{AnswerHead, Completion, Delta, EncodeStream, ToolCallPiece, logprobs};

/// So many characters of the answer's id are in the id of a call that has none of its own.
const ID_CHARS: usize = 24;

/// Puts pieces in order. As long as a call is not complete, what does not belong to it waits; a call waits for its id and its
/// name. Nothing waits beyond the end.
#[derive(Clone, Debug)]
pub(crate) struct CallOrder {
    /// What the ids of calls begin with that get none from the provider.
    id_beginning: String,
    calls: BTreeMap<u64, Call>,
    /// The call that the last piece belongs to.
    open: Option<u64>,
    waiting: VecDeque<Delta>,
}

#[derive(Clone, Debug, Default)]
struct Call {
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    depth: JsonDepth,
    /// How much of the arguments is told; none as long as the call is not.
    told_bytes: Option<usize>,
}

impl CallOrder {
    /// For one answer. Ids that have to be made begin with the prefix of their dialect; the same answer gets the same ones.
    pub(crate) fn new(prefix: &str, answer_id: &str) -> Self {
        let plain: Vec<char> = answer_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let end: String = plain[plain.len().saturating_sub(ID_CHARS)..].iter().collect();
        Self {
            id_beginning: format!("{prefix}{end}"),
            calls: BTreeMap::new(),
            open: None,
            waiting: VecDeque::new(),
        }
    }

    /// All pieces of a whole answer, in order.
    pub(crate) fn all(prefix: &str, answer_id: &str, pieces: &[Delta]) -> Vec<Delta> {
        let (mut order, mut ordered) = (Self::new(prefix, answer_id), Vec::with_capacity(pieces.len()));
        pieces.iter().for_each(|piece| order.take(piece, &mut ordered));
        order.finish(&mut ordered);
        ordered
    }

    /// Takes the next piece in, and appends what can be written now.
    pub(crate) fn take(&mut self, piece: &Delta, out: &mut Vec<Delta>) {
        let call = (piece.kind == TokenKind::ToolCall).then(|| ToolCallPiece::from_text(&piece.text));
        match (self.open, call) {
            (None, None) => out.push(piece.clone()),
            // Likelihoods belong to what they come with, in every dialect that has them.
            (Some(_), None) if logprobs::is_annotation(piece) => out.push(piece.clone()),
            (Some(open), Some(fragment)) if open == fragment.index => {
                self.argue(fragment, out);
                if !self.waiting.is_empty() && self.is_complete(open) {
                    self.close(out);
                    self.take_waiting(out);
                }
            }
            (Some(open), _) if !self.waiting.is_empty() || !self.is_complete(open) => {
                self.waiting.push_back(piece.clone());
            }
            (_, None) => {
                self.close(out);
                out.push(piece.clone());
            }
            (_, Some(fragment)) => {
                self.close(out);
                self.open = Some(fragment.index);
                self.argue(fragment, out);
            }
        }
    }

    /// Appends all that has waited.
    pub(crate) fn finish(&mut self, out: &mut Vec<Delta>) {
        loop {
            self.close(out);
            if self.waiting.is_empty() {
                return;
            }
            self.take_waiting(out);
        }
    }

    /// Appends what has waited as it came, for an encoder behind which the client has got it already.
    fn release(&mut self, out: &mut Vec<Delta>) {
        if let Some(index) = self.open.take()
            && let Some(call) = self.calls.get_mut(&index)
        {
            call.tell(index, out);
        }
        for piece in std::mem::take(&mut self.waiting) {
            if piece.kind == TokenKind::ToolCall {
                let fragment = ToolCallPiece::from_text(&piece.text);
                let index = fragment.index;
                self.calls.entry(index).or_default().add(fragment);
                self.calls.entry(index).or_default().tell(index, out);
            } else {
                out.push(piece);
            }
        }
    }

    fn take_waiting(&mut self, out: &mut Vec<Delta>) {
        for piece in std::mem::take(&mut self.waiting) {
            self.take(&piece, out);
        }
    }

    fn is_complete(&self, call: u64) -> bool {
        self.calls.get(&call).is_some_and(|call| call.depth.is_complete())
    }

    fn argue(&mut self, fragment: ToolCallPiece, out: &mut Vec<Delta>) {
        let index = fragment.index;
        let call = self.calls.entry(index).or_default();
        call.add(fragment);
        let is_told = call.told_bytes.is_some();
        if is_told || (call.id.is_some() && call.name.is_some()) {
            call.tell(index, out);
        }
    }

    /// Ends the open call: what it has no id for gets one, and arguments that nobody told are none.
    fn close(&mut self, out: &mut Vec<Delta>) {
        let Some(index) = self.open.take() else { return };
        let Some(call) = self.calls.get_mut(&index) else { return };
        if call.arguments.is_empty() {
            call.arguments.push_str("{}");
        }
        call.id.get_or_insert_with(|| format!("{}{index}", self.id_beginning));
        call.tell(index, out);
    }
}

impl Call {
    fn add(&mut self, fragment: ToolCallPiece) {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        self.id = self.id.take().or(said(fragment.id));
        self.name = self.name.take().or(said(fragment.name));
        let arguments = fragment.arguments.as_deref().unwrap_or_default();
        self.arguments.push_str(arguments);
        self.depth.push(arguments);
    }

    fn tell(&mut self, index: u64, out: &mut Vec<Delta>) {
        let is_first = self.told_bytes.is_none();
        let new = &self.arguments[self.told_bytes.unwrap_or(0)..];
        if !is_first && new.is_empty() {
            return;
        }
        let piece = ToolCallPiece {
            index,
            id: self.id.clone().filter(|_| is_first),
            name: self.name.clone().filter(|_| is_first),
            arguments: Some(new.to_owned()),
        };
        self.told_bytes = Some(self.arguments.len());
        out.extend(piece.to_text().map(|text| Delta::new(TokenKind::ToolCall, text)));
    }
}

/// An encoder that gets its pieces in order.
#[derive(Debug)]
pub(crate) struct InOrder<E> {
    encoder: E,
    order: CallOrder,
    ready: Vec<Delta>,
}

impl<E: EncodeStream> InOrder<E> {
    /// Ids that have to be made begin with that prefix.
    pub(crate) fn new(encoder: E, prefix: &str, answer_id: &str) -> Self {
        Self { encoder, order: CallOrder::new(prefix, answer_id), ready: Vec::new() }
    }

    fn write_ready(&mut self, out: &mut BytesMut) {
        for piece in self.ready.drain(..) {
            self.encoder.delta(out, &piece);
        }
    }

    fn write_all(&mut self, out: &mut BytesMut) {
        self.order.finish(&mut self.ready);
        self.write_ready(out);
    }
}

impl<E: EncodeStream> EncodeStream for InOrder<E> {
    fn open(&mut self, out: &mut BytesMut) {
        self.encoder.open(out);
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.order.take(delta, &mut self.ready);
        self.write_ready(out);
    }

    fn another_call(&mut self, out: &mut BytesMut) {
        self.write_all(out);
        self.encoder.another_call(out);
    }

    fn take_over(&mut self, head: Option<&AnswerHead>, event_count: u64) {
        // The client has got what waits here, by the other encoder.
        let mut told = BytesMut::new();
        self.order.release(&mut self.ready);
        self.write_ready(&mut told);
        self.encoder.take_over(head, event_count);
    }

    fn ended(&mut self, at_s: u64) {
        self.encoder.ended(at_s);
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.write_all(out);
        self.encoder.finish(out, completion);
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        self.write_all(out);
        self.encoder.fail(out, failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(index: u64, id: &str, name: &str, arguments: &str) -> Delta {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let piece = ToolCallPiece { index, id: text(id), name: text(name), arguments: text(arguments) };
        Delta::new(TokenKind::ToolCall, piece.to_text().unwrap())
    }

    fn told(pieces: &[Delta]) -> Vec<String> {
        CallOrder::all("call_", "a-1", pieces).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn one_thing_comes_after_the_other() {
        let text = Delta::text("text");
        assert_eq!(
            told(&[fragment(0, "a", "f", "{\"x\":"), text.clone(), fragment(0, "", "", "1}"), text]),
            [
                r#"{"index":0,"id":"a","name":"f","arguments":"{\"x\":"}"#,
                r#"{"index":0,"arguments":"1}"}"#,
                "text",
                "text"
            ],
        );
        assert_eq!(
            told(&[
                fragment(0, "a", "f", "{"),
                fragment(1, "b", "g", "{"),
                fragment(0, "", "", "}"),
                fragment(1, "", "", "}"),
            ]),
            [
                r#"{"index":0,"id":"a","name":"f","arguments":"{"}"#,
                r#"{"index":0,"arguments":"}"}"#,
                r#"{"index":1,"id":"b","name":"g","arguments":"{"}"#,
                r#"{"index":1,"arguments":"}"}"#,
            ],
        );
    }

    #[test]
    fn a_call_has_its_id_and_name_from_the_first() {
        assert_eq!(
            told(&[fragment(0, "", "f", "{}"), fragment(0, "late", "", ""), fragment(1, "", "g", "")]),
            [
                r#"{"index":0,"id":"late","name":"f","arguments":"{}"}"#,
                r#"{"index":1,"id":"call_a11","name":"g","arguments":"{}"}"#,
            ],
        );
        // Cut in its middle, it is told as far as it came.
        assert_eq!(told(&[fragment(0, "a", "", "{\"x\"")]), [r#"{"index":0,"id":"a","arguments":"{\"x\""}"#]);
    }
}
