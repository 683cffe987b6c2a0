use wordhoard_model::Failure;

use super::event::{End, Event, UsageBody};
use super::finish_reason;
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, sse};

/// What some servers end a stream with, after `message-end`.
const DONE: &str = "[DONE]";

/// A decoder for one answer that comes as a stream. The plan for the use of tools is reasoning.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ChatFold::default()))
}

/// What was seen of an answer: all that counts as a whole comes with its end.
#[derive(Debug, Default)]
struct ChatFold {
    end: Option<End>,
}

impl Fold for ChatFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() || data == DONE {
            return Ok(());
        }
        match serde_json::from_str(data).map_err(|error| stream::bad_event(&error))? {
            Event::ContentStart(said)
            | Event::ContentDelta(said)
            | Event::ToolPlanDelta(said)
            | Event::ToolCallStart(said)
            | Event::ToolCallDelta(said)
            | Event::CitationStart(said) => said.into_deltas(out),
            Event::MessageEnd { delta } => self.end = Some(delta),
            Event::Other => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.end.is_some()
    }

    fn has_finish_reason(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.finish_reason.is_some())
    }

    fn so_far(&self) -> Completion {
        Completion {
            finish_reason: self.end.as_ref().and_then(|end| reason_of(end).ok()),
            usage: self.end.as_ref().and_then(|end| end.usage).and_then(UsageBody::to_usage),
            // The dialect does not tell it.
            answered_by: None,
            envelope: None,
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        reason_of(self.end.as_ref().ok_or_else(stream::cut)?)?;
        Ok(self.so_far())
    }
}

fn reason_of(end: &End) -> Result<wordhoard_model::FinishReason, Failure> {
    let reason = end.finish_reason.as_deref().ok_or_else(stream::cut)?;
    finish_reason(reason, end.error.as_ref())
}
