//! What a model is asked, in no dialect's words: every dialect encodes from it and decodes to it.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A conversation to be answered, with how it shall be answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// What stands above the conversation: the system (or developer) message.
    pub system: Option<String>,
    /// The messages so far, oldest first.
    pub messages: Vec<Message>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it has to call one; the dialect's default where it is not given.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once; the dialect's default where it is not given.
    pub parallel_tool_calls: Option<bool>,
    /// What form the answer has; plain text where it is not given.
    pub response_format: Option<ResponseFormat>,
    /// The most tokens that the answer may have.
    pub max_tokens: Option<u32>,
    /// 0 to 2; higher is more varied.
    pub temperature: Option<f64>,
    /// 0 to 1: the share of likely tokens to choose from.
    pub top_p: Option<f64>,
    /// Texts at which the answer ends; they are not part of it.
    pub stop: Vec<String>,
    /// The same seed shall give the same answer.
    pub seed: Option<i64>,
    /// -2 to 2: against repeating what was said often.
    pub frequency_penalty: Option<f64>,
    /// -2 to 2: against repeating what was said at all.
    pub presence_penalty: Option<f64>,
    /// How much the model shall reason: `none`, `minimal`, `low`, `medium`, `high` and what else a provider knows.
    pub reasoning_effort: Option<String>,
    /// Fields of OpenAI's chat dialect that have no counterpart above (`logit_bias`, `metadata`, …), by their names
    /// there. A dialect that has none of its own for one cannot honour it.
    pub further: Map<String, Value>,
    /// What the client asked and has no place above. A provider of the client's own dialect, which gets the request as it
    /// came, is the only one that can honour it.
    pub unplaced: Vec<Unplaced>,
}

/// A part of a request that no conversation has a place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// Where it stands in the request, as `messages[2].content[0]`.
    pub field: String,
    /// What a provider of another dialect does without it.
    pub loss: Loss,
}

/// What is lost where a part of a request has no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A hint or an offer: the answer is as good without it. It is left out and listed.
    Hint,
    /// Something that changes what the answer means: the request is refused, for this reason.
    Meaning(String),
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// An instruction of the application between the turns.
    System(Vec<Part>),
    /// What the user says.
    User(Vec<Part>),
    /// What the model has said.
    Assistant {
        /// Its text.
        parts: Vec<Part>,
        /// The tools that it called.
        tool_calls: Vec<ToolCall>,
    },
    /// What a tool gave back.
    ToolResult {
        /// The id of the call that it answers.
        call_id: String,
        /// The tool's name, where it is told.
        name: Option<String>,
        /// What it gave.
        parts: Vec<Part>,
        /// Whether it failed.
        is_error: bool,
    },
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image.
    Image(Image),
}

/// An image, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// At a URL that the provider fetches.
    Url(String),
    /// In the message itself.
    Inline {
        /// Such as `image/png`.
        media_type: String,
        /// Its bytes in base64.
        base64: String,
    },
}

/// A call of a tool, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id, to which the result refers.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments: a JSON object as text.
    pub arguments: String,
    /// What its model has to get back with it, where that is known.
    pub seal: Option<Arc<Seal>>,
}

/// What a model has to get back with a call of a tool, so that it can go on from the reasoning that led to it. Only a provider
/// of the same dialect can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The name of the dialect.
    pub dialect: String,
    /// The provider that made the call: another one refuses what it has not signed.
    pub provider: String,
    /// What the call was, so that another one under the same id is told apart: some servers count from 0 in each answer.
    pub call_digest: String,
    /// The blocks or items that stand before the call, as the provider gave them.
    pub before: Vec<Value>,
    /// The signature of the call itself.
    pub signature: Option<String>,
}

impl ToolCall {
    /// A call of which nothing more is known.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), arguments: arguments.into(), seal: None }
    }

    /// Its seal, if a provider of that dialect made it.
    pub fn seal_of(&self, dialect: &str) -> Option<&Seal> {
        self.seal.as_deref().filter(|seal| seal.dialect == dialect)
    }
}

impl Seal {
    /// Roughly how many bytes it has.
    pub fn size_bytes(&self) -> usize {
        let before: usize = self.before.iter().map(|block| block.to_string().len()).sum();
        before + self.signature.as_ref().map_or(0, String::len)
    }
}

/// A function that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments; none where it takes none.
    pub parameters: Option<Value>,
    /// Whether arguments must keep to the schema exactly.
    pub strict: Option<bool>,
}

/// Whether a model has to call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// It must not.
    None,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Function(String),
}

/// What form an answer has.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseFormat {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// What the schema is called.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether the answer must keep to it exactly.
        strict: Option<bool>,
    },
}

impl Part {
    /// The texts of all parts, joined.
    pub fn text_of(parts: &[Self]) -> String {
        let texts = parts.iter().filter_map(|part| match part {
            Self::Text(text) => Some(text.as_str()),
            Self::Image(_) => None,
        });
        texts.collect()
    }
}

impl Message {
    /// What it says, but for calls of tools.
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::System(parts)
            | Self::User(parts)
            | Self::Assistant { parts, .. }
            | Self::ToolResult { parts, .. } => parts,
        }
    }

    /// As [`Message::parts`], to be changed.
    pub fn parts_mut(&mut self) -> &mut Vec<Part> {
        match self {
            Self::System(parts)
            | Self::User(parts)
            | Self::Assistant { parts, .. }
            | Self::ToolResult { parts, .. } => parts,
        }
    }
}

impl Conversation {
    /// Notes a part of the request that has no place, and that no other dialect may leave out.
    pub fn leave_unplaced(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.unplaced.push(Unplaced { field: field.into(), loss: Loss::Meaning(problem.into()) });
    }

    /// Notes a hint or an offer that has no place; each once.
    pub fn leave_hint(&mut self, field: impl Into<String>) {
        let hint = Unplaced { field: field.into(), loss: Loss::Hint };
        if !self.unplaced.contains(&hint) {
            self.unplaced.push(hint);
        }
    }

    /// Whether another dialect cannot be asked all that the client asked.
    pub fn loses_meaning(&self) -> bool {
        self.unplaced.iter().any(|unplaced| matches!(unplaced.loss, Loss::Meaning(_)))
    }

    /// Takes an instruction in: those before the first turn stand above the conversation, the others in their place.
    pub fn add_instruction(&mut self, parts: Vec<Part>) {
        if !self.messages.is_empty() {
            return self.messages.push(Message::System(parts));
        }
        let text = Part::text_of(&parts);
        self.system = Some(match self.system.take() {
            Some(above) => format!("{above}\n\n{text}"),
            None => text,
        });
    }

    /// One message of a user, with the defaults for all else.
    pub fn of_user(text: impl Into<String>) -> Self {
        Self { messages: vec![Message::User(vec![Part::Text(text.into())])], ..Self::default() }
    }
}
