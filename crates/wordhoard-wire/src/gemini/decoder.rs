use wordhoard_model::Failure;

use super::finish_reason;
use super::response::{Candidate, Response, UsageBody};
use crate::clean_text::model_name;
use crate::error_body::classify_stream_error;
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, sse};

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
}

impl Fold for ContentFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        // Some gateways end every stream like those of OpenAI.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let response = serde_json::from_str(data).map_err(|error| stream::bad_event(&error))?;
        self.take_response(response, out)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn so_far(&self) -> Completion {
        let reason = self.finish_reason.as_deref();
        Completion {
            finish_reason: reason.and_then(|reason| finish_reason(reason, self.calls > 0).ok()),
            usage: self.usage.and_then(UsageBody::to_usage),
            answered_by: self.answered_by.clone(),
            envelope: None,
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        let reason = self.finish_reason.as_deref().ok_or_else(stream::cut)?;
        finish_reason(reason, self.calls > 0)?;
        Ok(self.so_far())
    }
}

impl ContentFold {
    pub(super) fn take_response(&mut self, response: Response, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.answered_by.is_none() {
            self.answered_by = model_name(response.model_version);
        }
        self.usage = response.usage_metadata.or(self.usage);
        let response_id = response.response_id.as_deref();
        for candidate in response.candidates.into_iter().flatten() {
            if candidate.index == 0 {
                self.take_candidate(candidate, response_id, out)?;
            }
        }
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(classify_stream_error(&error));
        }
        match response.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            Some(reason) => Err(stream::filtered(&crate::one_line(&reason, 64))),
            None => Ok(()),
        }
    }

    fn take_candidate(
        &mut self,
        mut candidate: Candidate,
        response_id: Option<&str>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Failure> {
        let reason = candidate.finish_reason.take().filter(|reason| !reason.is_empty());
        candidate
            .into_deltas(response_id, &mut self.calls, out)
            .map_err(|error| stream::bad_event(&error))?;
        // Older servers tell this one with every event.
        if let Some(reason) = reason.filter(|reason| reason != "FINISH_REASON_UNSPECIFIED") {
            self.finish_reason = Some(reason);
        }
        Ok(())
    }
}
