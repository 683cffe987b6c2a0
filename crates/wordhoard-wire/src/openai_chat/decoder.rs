use wordhoard_model::{Failure, FailureClass, FinishReason};

use super::beside;
use super::chunk::{Choice, Chunk};
use super::{DONE, usage::UsageBody};
use crate::clean_text::{model_name, one_line};
use crate::error_body::classify_stream_error;
use crate::stream::{self, Fold};
use crate::{Completion, Delta, Limits, StreamDecoder, sse};

/// A decoder for one answer that comes as a stream.
///
/// Other choices than the first are passed over. Bad JSON and a missing `finish_reason` are failures; a missing
/// `[DONE]` is none.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ChatFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
struct ChatFold {
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    answered_by: Option<String>,
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
        let name = event.event.as_deref().unwrap_or("message");
        match serde_json::from_str::<Chunk>(data) {
            Ok(chunk) => self.take_chunk(chunk, out),
            Err(_) if name == "error" => Err(Failure::new(FailureClass::StreamError, one_line(data, 2_000))),
            Err(error) if name == "message" || has_choices(data) => Err(stream::bad_event(&error)),
            // An event of another name is none of this dialect (a ping, say).
            Err(_) => Ok(()),
        }
    }

    fn is_whole(&self, event: &sse::Event) -> bool {
        event.data == DONE || serde_json::from_str::<Chunk>(&event.data).is_ok()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn so_far(&self) -> Completion {
        Completion {
            finish_reason: self.finish_reason.clone().map(FinishReason),
            usage: self.usage.and_then(UsageBody::to_usage),
            answered_by: self.answered_by.clone(),
            envelope: None,
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        let Some(reason) = &self.finish_reason else {
            return Err(match self.done {
                true => Failure::new(FailureClass::Cut, "the stream ended without a finish_reason"),
                false => stream::cut(),
            });
        };
        failure_of(reason).map_or_else(|| Ok(self.so_far()), Err)
    }
}

impl ChatFold {
    fn take_chunk(&mut self, chunk: Chunk, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.answered_by.is_none() {
            self.answered_by = model_name(chunk.model);
        }
        // The last one counts: some servers tell a running count in every chunk.
        self.usage = chunk.usage.or(self.usage);
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
        if let Some(delta) = choice.delta {
            delta.into_deltas(out);
        }
        beside::take_logprobs(choice.logprobs, out);
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish_reason = Some(one_line(&reason, 64));
        }
        match choice.error.filter(|error| !error.is_null()) {
            Some(error) => Err(classify_stream_error(&error)),
            None => Ok(()),
        }
    }
}

/// The failure that a `finish_reason` tells, where it is not a way to complete.
pub(super) fn failure_of(reason: &str) -> Option<Failure> {
    let (class, message) = match reason {
        FinishReason::CONTENT_FILTER => {
            (FailureClass::ContentPolicy, "the provider's content filter held the answer back")
        }
        // OpenRouter: <https://openrouter.ai/docs/api/reference/errors-and-debugging>.
        "error" => (FailureClass::StreamError, "the provider stopped for an error of its own"),
        // DeepSeek: <https://api-docs.deepseek.com/api/create-chat-completion>, finish_reason.
        "insufficient_system_resource" => {
            (FailureClass::StreamError, "the provider stopped because it ran out of resources")
        }
        // vLLM: the request was aborted on the server.
        "abort" => (FailureClass::Cut, "the provider aborted the answer"),
        _ => return None,
    };
    Some(Failure::new(class, message))
}

fn has_choices(data: &str) -> bool {
    data.starts_with('{') && data.contains("\"choices\"")
}
