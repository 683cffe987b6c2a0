use serde_json::Value;
use wordhoard_model::{Failure, FinishReason, Usage};

use super::response::{Candidate, Response, UsageBody};
use crate::clean_text::{model_name, one_line};
use crate::ending::Seen;
use crate::error_body::classify_stream_error;
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, sse, tolerant};

/// A decoder for one answer that comes as a stream. Other candidates than the first are passed over.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ContentFold::default()))
}

/// What was seen of an answer. No event says that none follows: the end of the body does.
#[derive(Debug, Default)]
pub(super) struct ContentFold {
    calls: u64,
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    answered_by: Option<String>,
    seen: Seen,
    /// Why the prompt was refused.
    blocked: Option<String>,
}

impl Fold for ContentFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        // Without `alt=sse` all events stand in one list.
        if event.data.trim_start().starts_with('[') {
            for value in stream::read_event::<Vec<Value>>(event)?.into_iter().flatten() {
                let response =
                    tolerant::read(&value.to_string()).map_err(|error| stream::bad_event(&error))?;
                self.take_response(response, out)?;
            }
            return Ok(());
        }
        match stream::read_event(event)? {
            Some(response) => self.take_response(response, out),
            None => Ok(()),
        }
    }

    fn is_done(&self) -> bool {
        false
    }

    fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some() || self.blocked.is_some()
    }

    fn so_far(&self) -> Completion {
        let ended = match &self.blocked {
            Some(_) => Some(Completion {
                finish_reason: Some(FinishReason(FinishReason::CONTENT_FILTER.to_owned())),
                provider_finish_reason: self.blocked.clone(),
                ..Completion::default()
            }),
            None => self.finish_reason.as_deref().map(|told| Completion::ended(told, self.seen)),
        };
        Completion { usage: self.usage(), answered_by: self.answered_by.clone(), ..ended.unwrap_or_default() }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().and_then(UsageBody::to_usage)
    }

    fn finish(&self) -> Result<Completion, Failure> {
        if self.blocked.is_none() {
            Completion::told(self.finish_reason.as_deref().ok_or_else(stream::cut)?, self.seen)?;
        }
        Ok(self.so_far())
    }
}

impl ContentFold {
    pub(super) fn take_response(&mut self, response: Response, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.answered_by.is_none() {
            self.answered_by = model_name(response.model_version);
        }
        self.usage = response.usage_metadata.or(self.usage.take());
        let response_id = response.response_id.as_deref();
        for candidate in response.candidates.into_iter().flatten() {
            if candidate.index == 0 {
                self.take_candidate(candidate, response_id, out);
            }
        }
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(classify_stream_error(&error));
        }
        // The prompt was refused; nothing follows. The reasons are those for which answers are held back.
        if let Some(reason) = response.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            self.blocked = Some(one_line(&reason, 64));
        }
        Ok(())
    }

    fn take_candidate(&mut self, mut candidate: Candidate, response_id: Option<&str>, out: &mut Vec<Delta>) {
        let reason = candidate.finish_reason.take().filter(|reason| !reason.is_empty());
        let before = out.len();
        candidate.into_deltas(response_id, &mut self.calls, out);
        self.seen.note(&out[before..]);
        // Older servers tell this one with every event.
        if let Some(reason) = reason.filter(|reason| reason != "FINISH_REASON_UNSPECIFIED") {
            self.finish_reason = Some(one_line(&reason, 64));
        }
    }
}
