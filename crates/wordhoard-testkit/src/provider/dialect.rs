//! The dialects, written by hand and apart from the product's own codecs, so that a mistake in one does not hide in the
//! other.

mod chat;

use serde_json::Value;
use wordhoard_model::TokenKind;

use super::ReceivedCall;

/// A dialect that the provider speaks; told by the path that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST …/chat/completions`.
    Chat,
}

/// One event of a stream.
pub(super) struct Frame {
    pub(super) event: Option<&'static str>,
    pub(super) data: String,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Stop,
    ToolCalls,
    Filter,
}

/// What was consumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// With that status, and these words.
    Status(u16, String),
    /// The model does not exist.
    NoModel(String),
    /// The prompt is too long.
    TooLong,
    /// The prompt is against the provider's rules.
    Filtered,
    /// The key is none.
    Key(String),
    /// The conversation ends with the beginning of an answer.
    Prefill,
}

/// Speaks one answer as a stream.
pub(super) trait Speaker: Send {
    fn opening(&mut self) -> Vec<Frame>;
    fn token(&mut self, kind: TokenKind, text: &str) -> Vec<Frame>;
    /// Why it ends, where the dialect says that apart from the rest.
    fn reason(&mut self, reason: Reason, counts: Counts) -> Vec<Frame>;
    fn usage(&mut self, counts: Counts) -> Vec<Frame>;
    /// What ends the stream, if anything does.
    fn terminal(&mut self) -> Vec<Frame>;
    /// An error in mid-stream.
    fn error(&mut self) -> Vec<Frame>;
}

impl Frame {
    fn data(data: impl ToString) -> Self {
        Self { event: None, data: data.to_string() }
    }
}

impl Dialect {
    /// The dialect of a path, and the model that stands in it, if one does.
    pub(super) fn of_path(path: &str) -> Option<(Self, Option<String>)> {
        path.contains("/chat/completions").then_some((Self::Chat, None))
    }

    /// The model that the body asks for.
    pub(super) fn prompt(self, body: &Value) -> String {
        match self {
            Self::Chat => chat::prompt(body),
        }
    }

    /// The beginning of an answer with which the conversation ends.
    pub(super) fn answer_so_far(self, body: &Value) -> Option<String> {
        match self {
            Self::Chat => chat::answer_so_far(body),
        }
    }

    pub(super) fn speaker(self, call: &ReceivedCall, model: &str) -> Box<dyn Speaker> {
        match self {
            Self::Chat => Box::new(chat::Chat::new(call, model)),
        }
    }

    /// Status and body of a refusal.
    pub(super) fn refusal(self, refusal: &Refusal) -> (u16, String) {
        match self {
            Self::Chat => chat::refusal(refusal),
        }
    }
}
