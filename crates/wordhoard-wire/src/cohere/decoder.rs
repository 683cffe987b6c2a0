use wordhoard_model::{Failure, TokenKind};

use super::answer::decode_answer;
use super::ending;
use super::event::{Event, EventDelta, UsageBody};
use super::plain_delta;
use crate::ending::Seen;
use crate::error_body::classify_stream_error;
use crate::plain_text::{Part, PlainText};
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, sse};

/// A decoder for one answer that comes as a stream. The plan for the use of tools is reasoning.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ChatFold::default()))
}

/// What was seen of an answer: all that counts as a whole comes with its end.
#[derive(Debug, Default)]
struct ChatFold {
    end: Option<EventDelta>,
    seen: Seen,
    /// Of an answer that came whole.
    whole: Option<Completion>,
}

impl Fold for ChatFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let Some(told) = stream::read_event::<Event>(event)? else { return Ok(()) };
        if told.kind.is_none() && event.event.is_none() && self.end.is_none() {
            // An answer that came whole where a stream was due.
            let mut pieces = Vec::new();
            if let Ok(completion) = decode_answer(event.data.as_bytes(), &mut pieces) {
                self.whole = Some(completion);
                out.extend(pieces);
                return Ok(());
            }
        }
        let before = out.len();
        match told.kind.as_deref().or(event.event.as_deref()).unwrap_or_default() {
            "content-start" | "content-delta" | "tool-plan-delta" | "tool-call-start" | "tool-call-delta"
            | "citation-start" => told.into_deltas(out),
            "message-end" => self.end = told.delta,
            // Documented nowhere, but what a gateway in front of it says.
            "error" => return Err(classify_stream_error(&told.error.unwrap_or_default())),
            // `message-start`, the ends of what was begun, `debug`, and what is still to come.
            _ => {}
        }
        self.seen.note(&out[before..]);
        Ok(())
    }

    fn plain_text<'a>(&self, event: &'a sse::Event) -> Option<PlainText<'a>> {
        plain_delta::read(&event.data)
    }

    fn say(&mut self, _kind: TokenKind, _part: Part, _text: &str) {
        self.seen.has_said = true;
    }

    fn is_done(&self) -> bool {
        self.end.is_some() || self.whole.is_some()
    }

    fn has_finish_reason(&self) -> bool {
        self.whole.is_some() || self.end.as_ref().is_some_and(|end| end.finish_reason.is_some())
    }

    fn so_far(&self) -> Completion {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let told = self.end.as_ref().and_then(|end| end.finish_reason.as_deref());
        let ended = told.map(|told| Completion::ended(told, self.seen));
        Completion {
            usage: self.end.as_ref().and_then(|end| end.usage).and_then(UsageBody::to_usage),
            // The dialect does not tell which model answers.
            ..ended.unwrap_or_default()
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        let end = self.end.as_ref().ok_or_else(stream::cut)?;
        let told = end.finish_reason.as_deref().ok_or_else(stream::cut)?;
        ending(told, end.error.as_ref(), self.seen)?;
        Ok(self.so_far())
    }
}
