//! The dialects, written by hand and apart from the product's own codecs, so that a mistake in one does not hide in the
//! other.

mod chat;
mod cohere;
mod gemini;
mod messages;
mod responses;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use wordhoard_model::TokenKind;

use super::ReceivedCall;

/// A dialect that the provider speaks; told by the path that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST …/chat/completions`, OpenAI's chat.
    Chat,
    /// `POST …/responses`, OpenAI's responses.
    Responses,
    /// `POST …/messages`, Anthropic's.
    Messages,
    /// `POST …/models/{model}:generateContent` and `…:streamGenerateContent`, Google's.
    Gemini,
    /// `POST …/chat`, Cohere's.
    Cohere,
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
    /// The quota of the account is used up.
    OverQuota,
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
    /// The answer as one body.
    fn whole(&mut self, pieces: &Pieces, reason: Reason, counts: Counts) -> Value;
}

/// All tokens of an answer, put together.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Debug, Default)]
pub(super) struct Call {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl Pieces {
    pub(super) fn push(&mut self, kind: TokenKind, text: &str) {
        match kind {
            TokenKind::Reasoning => self.reasoning.push_str(text),
            TokenKind::ToolCall => Call::append(&mut self.calls, text),
            _ => self.text.push_str(text),
        }
    }
}

impl Call {
    /// Takes in one fragment.
    fn append(calls: &mut Vec<Self>, fragment: &str) {
        let piece: Value = serde_json::from_str(fragment).unwrap_or_default();
        let text = |field: &str| piece[field].as_str().unwrap_or_default().to_owned();
        let index = piece["index"].as_u64().unwrap_or(0);
        match calls.iter_mut().find(|call| call.index == index) {
            Some(call) => call.arguments.push_str(&text("arguments")),
            None => {
                calls.push(Self { index, id: text("id"), name: text("name"), arguments: text("arguments") });
            }
        }
    }
}

/// The text of the newest message of that side, and whether it is the last of all.
fn said(messages: &Value, role: &str, field: &str) -> Option<(String, bool)> {
    let messages = messages.as_array()?;
    let place = messages.iter().rposition(|message| message["role"] == role)?;
    Some((texts_of(&messages[place][field]), place + 1 == messages.len()))
}

/// The texts of a list of parts, or the text itself.
fn texts_of(content: &Value) -> String {
    let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    content.as_str().map_or(texts, str::to_owned)
}

impl Frame {
    fn data(data: impl ToString) -> Self {
        Self { event: None, data: data.to_string() }
    }
}

impl Dialect {
    /// The dialect of a path, and the model that stands in it, if one does.
    pub(super) fn of_path(path: &str) -> Option<(Self, Option<String>)> {
        let path = path.split('?').next().unwrap_or_default();
        if let Some((_, rest)) = path.rsplit_once("/models/") {
            let (model, verb) = rest.rsplit_once(':')?;
            let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
            let is_known = verb.ends_with("enerateContent") || verb == "countTokens";
            return is_known.then_some((Self::Gemini, Some(model)));
        }
        let ends = [
            ("/chat/completions", Self::Chat),
            ("/responses", Self::Responses),
            ("/messages", Self::Messages),
            ("/chat", Self::Cohere),
            ("/messages/count_tokens", Self::Messages),
            ("/responses/input_tokens", Self::Responses),
            // Of OpenAI's, whose errors it shares.
            ("/embeddings", Self::Chat),
        ];
        ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, dialect)| (dialect, None))
    }

    /// Whether a stream is asked for.
    pub(super) fn wants_stream(self, path: &str, body: &Value) -> bool {
        match self {
            Self::Gemini => path.contains(":streamGenerateContent"),
            _ => body["stream"] == true,
        }
    }

    /// The last message of the user.
    pub(super) fn prompt(self, body: &Value) -> String {
        if let (Self::Responses, Some(text)) = (self, body["input"].as_str()) {
            return text.to_owned();
        }
        match self {
            Self::Gemini => {
                // The question that is to be counted stands within the request.
                let asked = body.get("generateContentRequest").unwrap_or(body);
                said(&asked["contents"], "user", "parts")
            }
            Self::Responses => said(&body["input"], "user", "content"),
            Self::Chat | Self::Cohere | Self::Messages => said(&body["messages"], "user", "content"),
        }
        .map(|(text, _)| text)
        .unwrap_or_default()
    }

    /// The beginning of an answer with which the conversation ends.
    pub(super) fn answer_so_far(self, body: &Value) -> Option<String> {
        match self {
            Self::Gemini => said(&body["contents"], "model", "parts"),
            Self::Responses => said(&body["input"], "assistant", "content"),
            Self::Chat | Self::Cohere | Self::Messages => said(&body["messages"], "assistant", "content"),
        }
        .filter(|(_, is_last)| *is_last)
        .map(|(text, _)| text)
    }

    pub(super) fn speaker(self, call: &ReceivedCall, model: &str) -> Box<dyn Speaker> {
        match self {
            Self::Chat => Box::new(chat::Chat::new(call, model)),
            Self::Responses => Box::new(responses::Responses::new(call, model)),
            Self::Messages => Box::new(messages::Messages::new(call, model)),
            Self::Gemini => Box::new(gemini::Gemini::new(call, model)),
            Self::Cohere => Box::new(cohere::Cohere::new(call, model)),
        }
    }

    /// Status and body of a refusal.
    pub(super) fn refusal(self, refusal: &Refusal) -> (u16, String) {
        match self {
            Self::Chat | Self::Responses => chat::refusal(refusal),
            Self::Messages => messages::refusal(refusal),
            Self::Gemini => gemini::refusal(refusal),
            Self::Cohere => cohere::refusal(refusal),
        }
    }
}
