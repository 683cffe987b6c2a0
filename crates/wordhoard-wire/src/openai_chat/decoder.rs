use wordhoard_model::{Failure, FailureClass, FinishReason};

use super::chunk::{Choice, Chunk};
use super::error_body::classify_stream_error;
use super::{DONE, usage::UsageBody};
use crate::clean_text::one_line;
use crate::sse;
use crate::{Completion, Delta};

/// How much a provider may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest event, in bytes.
    pub max_event_bytes: usize,
}

/// 1 MiB an event: a chunk holds a few tokens, and even a tool call sent whole stays far below.
impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 1 << 20 }
    }
}

/// Decodes a provider's stream. Bytes go in as they come, deltas come out as soon as their event is complete.
///
/// Tolerant where it costs nothing (unknown fields and events, no `[DONE]`, no blank line at the end, other choices
/// than the first), strict where a token could be lost or half an answer pass for a whole one: bad JSON and a missing
/// `finish_reason` are failures.
#[derive(Debug)]
pub struct StreamDecoder {
    parser: sse::Parser,
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    answered_by: Option<String>,
    done: bool,
}

impl StreamDecoder {
    /// A decoder for one answer.
    pub fn new(limits: Limits) -> Self {
        Self {
            parser: sse::Parser::new(limits.max_event_bytes),
            finish_reason: None,
            usage: None,
            answered_by: None,
            done: false,
        }
    }

    /// Takes the next bytes of the body in and appends the deltas that they complete.
    ///
    /// # Errors
    /// `Malformed` for what the dialect does not allow; `StreamError`, or the class that its code tells, for an error
    /// of the provider. The deltas before it are in `out` even then. Nothing more can be pushed after it.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        self.parser.feed(bytes);
        while !self.done {
            match self.parser.next_event().map_err(malformed_stream)? {
                Some(event) => self.take(&event, out)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Takes in what stands unfinished at the end of the body, if it is whole: some servers leave out the last blank
    /// line. Half an event is dropped; then the missing `finish_reason` tells.
    ///
    /// # Errors
    /// As [`push`](StreamDecoder::push).
    pub fn end_of_body(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.done {
            return Ok(());
        }
        match self.parser.take_unfinished() {
            Ok(Some(event)) if event.data == DONE || serde_json::from_str::<Chunk>(&event.data).is_ok() => {
                self.take(&event, out)
            }
            _ => Ok(()),
        }
    }

    /// Whether `[DONE]` came: nothing that follows counts.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the provider has said why it stopped: the answer is whole, only usage may still come.
    pub fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// What the provider said at the end, once the body ended or `[DONE]` came.
    ///
    /// # Errors
    /// `Cut` where it did not say why it stopped; `ContentPolicy` where its filter stopped it; `StreamError` where
    /// it says that it stopped for an error of its own. Such an answer must not look completed.
    pub fn finish(self) -> Result<Completion, Failure> {
        let Some(reason) = self.finish_reason else {
            let message = if self.done {
                "the stream ended without a finish_reason"
            } else {
                "the stream ended before the answer did"
            };
            return Err(Failure::new(FailureClass::Cut, message));
        };
        if let Some(failure) = failure_of(&reason) {
            return Err(failure);
        }
        Ok(Completion {
            finish_reason: Some(FinishReason(reason)),
            usage: self.usage.and_then(UsageBody::to_usage),
            answered_by: self.answered_by,
        })
    }

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
            Err(error) if name == "message" || has_choices(data) => Err(bad_chunk(&error)),
            // An event of another name is none of this dialect (a ping, say).
            Err(_) => Ok(()),
        }
    }

    fn take_chunk(&mut self, chunk: Chunk, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.answered_by.is_none() {
            let model = chunk.model.map(|model| one_line(&model, 200));
            self.answered_by = model.filter(|model| !model.is_empty());
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
fn failure_of(reason: &str) -> Option<Failure> {
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

fn malformed_stream(error: sse::Error) -> Failure {
    Failure::new(FailureClass::Malformed, format!("the provider's stream cannot be read: {error}"))
}

/// Names the place and the kind of the fault, never the data: that may be a piece of an answer.
fn bad_chunk(error: &serde_json::Error) -> Failure {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof => "ends in the middle",
        Category::Data => "has a field of another type than the dialect allows",
        Category::Syntax | Category::Io => "is no JSON",
    };
    Failure::new(
        FailureClass::Malformed,
        format!("a chunk of the provider's stream {what} (column {})", error.column()),
    )
}
