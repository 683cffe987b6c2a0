use std::collections::BTreeSet;

use wordhoard_model::{Failure, FailureClass, ServiceTier, TokenKind, Usage};

use super::DONE;
use super::beside;
use super::chunk::{Choice, Chunk, CustomBody, DeltaBody};
use super::plain_chunk::PlainChunk;
use super::usage::UsageBody;
use crate::call_fragments::CallFragments;
use crate::clean_text::{model_name, one_line};
use crate::ending::Seen;
use crate::error_body::classify_stream_error;
use crate::plain_text::{Part, PlainText};
use crate::said_so_far::SaidSoFar;
use crate::stream::{self, Fold};
use crate::tool_shape::{CUSTOM_CLOSING, CUSTOM_OPENING, custom_piece};
use crate::{Completion, Delta, Limits, StreamDecoder, ToolCallPiece, sse, tolerant};

/// A decoder for one answer that comes as a stream.
///
/// Other choices than the first are passed over. A missing `finish_reason` is a failure; a missing `[DONE]` is none.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ChatFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
pub(super) struct ChatFold {
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    service_tier: Option<ServiceTier>,
    answered_by: Option<String>,
    calls: CallFragments,
    /// The calls of custom tools that have begun: their text comes in pieces.
    custom_calls: BTreeSet<u64>,
    /// Of reasoning, text and refusal.
    said: [SaidSoFar; 3],
    seen: Seen,
    /// Whether a message came whole, which is no event of the dialect.
    has_message: bool,
    done: bool,
}

impl Fold for ChatFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() {
            return Ok(());
        }
        if data == DONE {
            self.done = true;
            return Ok(());
        }
        match stream::read_event(event)? {
            Some(chunk) => self.take_chunk(chunk, out),
            None => Ok(()),
        }
    }

    fn plain_text<'a>(&self, event: &'a sse::Event) -> Option<PlainText<'a>> {
        let chunk = PlainChunk::read(&event.data)?;
        let is_known_model = self.answered_by.is_some() || chunk.model.is_none();
        let tier = chunk.service_tier.and_then(ServiceTier::from_name);
        let is_known_tier = tier.is_none() || tier == self.service_tier;
        if is_known_model && is_known_tier { chunk.into_text() } else { None }
    }

    fn say(&mut self, kind: TokenKind, _part: Part, text: &str) {
        self.said_of(kind).push(text);
        self.seen.has_said = true;
    }

    fn is_whole(&self, event: &sse::Event) -> bool {
        event.data == DONE || tolerant::read::<Chunk>(&event.data).is_ok()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn is_of_the_dialect(&self) -> bool {
        !self.has_message
    }

    fn so_far(&self) -> Completion {
        let ended = self.finish_reason.as_deref().map(|told| Completion::ended(told, self.seen));
        Completion { usage: self.usage(), answered_by: self.answered_by.clone(), ..ended.unwrap_or_default() }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.and_then(|usage| usage.to_usage(self.service_tier))
    }

    fn finish(&self) -> Result<Completion, Failure> {
        let Some(reason) = &self.finish_reason else {
            return Err(match self.done {
                true => Failure::new(FailureClass::Cut, "the stream ended without a finish_reason"),
                false => stream::cut(),
            });
        };
        Completion::told(reason, self.seen)?;
        Ok(self.so_far())
    }
}

impl ChatFold {
    pub(super) fn take_chunk(&mut self, chunk: Chunk, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.answered_by.is_none() {
            self.answered_by = model_name(chunk.model);
        }
        self.service_tier =
            chunk.service_tier.as_deref().and_then(ServiceTier::from_name).or(self.service_tier);
        // The last one counts: some servers tell a running count in every chunk.
        self.usage = chunk.usage.filter(|usage| usage.to_usage(None).is_some()).or(self.usage);
        for choice in chunk.choices.into_iter().flatten() {
            if choice.index == 0 {
                self.take_choice(choice, out)?;
            }
        }
        match chunk.error.filter(|error| !error.is_null()) {
            Some(error) => Err(classify_stream_error(&error)),
            None => Ok(()),
        }
    }

    fn take_choice(&mut self, choice: Choice, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let before = out.len();
        self.usage = choice.usage.filter(|usage| usage.to_usage(None).is_some()).or(self.usage);
        if let Some(delta) = choice.delta {
            self.take_delta(delta, out);
        }
        if let Some(message) = choice.message {
            self.has_message = true;
            self.take_message(message, out);
        }
        beside::take_logprobs(choice.logprobs, out);
        self.seen.note(&out[before..]);
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish_reason = Some(one_line(&reason, 64));
            self.close_custom_calls(out);
        }
        match choice.error.filter(|error| !error.is_null()) {
            Some(error) => Err(classify_stream_error(&error)),
            None => Ok(()),
        }
    }

    fn take_delta(&mut self, mut delta: DeltaBody, out: &mut Vec<Delta>) {
        for piece in delta.take_said().into_deltas() {
            self.said_of(piece.kind).push(&piece.text);
            out.push(piece);
        }
        self.take_calls(&mut delta, out);
        delta.take_citations(out);
    }

    /// A message says all of the answer: what of it was said already is not said again.
    fn take_message(&mut self, mut message: DeltaBody, out: &mut Vec<Delta>) {
        for Delta { kind, text, .. } in message.take_said().into_deltas() {
            let said = self.said_of(kind);
            if let Some(rest) = said.rest_of(&text) {
                out.push(Delta::new(kind, rest));
                said.push(rest);
            }
        }
        if self.calls.count() == 0 {
            self.take_calls(&mut message, out);
        }
        message.take_citations(out);
    }

    fn take_calls(&mut self, delta: &mut DeltaBody, out: &mut Vec<Delta>) {
        for call in delta.tool_calls.take().into_iter().flatten() {
            match call.custom {
                None => {
                    let fragment = call.function.unwrap_or_default().into_piece(call.id);
                    push_call(self.calls.take(call.index, fragment), out);
                }
                Some(CustomBody { name, input }) => {
                    let arguments = input.as_deref().map(custom_piece);
                    let fragment = ToolCallPiece { id: call.id, name, arguments, ..ToolCallPiece::default() };
                    let mut new = self.calls.take(call.index, fragment);
                    if self.custom_calls.insert(new.index) {
                        let opening = CUSTOM_OPENING.to_owned();
                        new.arguments = Some(opening + new.arguments.as_deref().unwrap_or_default());
                    }
                    push_call(new, out);
                }
            }
        }
        if let Some(function) = delta.function_call.take() {
            push_call(self.calls.take(Some(0), function.into_piece(None)), out);
        }
    }

    fn close_custom_calls(&mut self, out: &mut Vec<Delta>) {
        for index in std::mem::take(&mut self.custom_calls) {
            let arguments = Some(CUSTOM_CLOSING.to_owned());
            push_call(ToolCallPiece { index, arguments, ..ToolCallPiece::default() }, out);
        }
    }

    fn said_of(&mut self, kind: TokenKind) -> &mut SaidSoFar {
        &mut self.said[match kind {
            TokenKind::Reasoning => 0,
            TokenKind::Refusal => 2,
            _ => 1,
        }]
    }
}

fn push_call(piece: ToolCallPiece, out: &mut Vec<Delta>) {
    out.extend(piece.to_text().map(|text| Delta::new(TokenKind::ToolCall, text)));
}
