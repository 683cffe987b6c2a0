//! What is recorded of a request of the drop-in APIs: its body as it came, and what the server has to know of it beside. Both
//! stand in one parameter of its prompt, which a caller of the native API cannot give.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wordhoard_model::{Conversation, Message, Parameters, Part, Prompt};

use crate::{Dialect, InvalidRequest};
use crate::{openai_chat, seals};

/// The name of the parameter.
const PARAMETER: &str = "remembered";
/// The field of the parameter that holds the body.
const BODY: &str = "body";
/// The field of the parameter that holds the seals of the calls in the conversation.
const SEALS: &str = "seals";
/// How much of the last question stands in the prompt's own text, which is what lists show.
const MAX_TEXT_CHARS: usize = 8_000;

/// The field of the parameter that says which of a provider's calls is made.
const CALL: &str = "call";

/// Which of a provider's calls a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// The next message of a conversation.
    #[default]
    Answer,
    /// A summary that takes the place of a conversation, by the call that the responses dialect has for that.
    Compaction,
    /// Vectors, by OpenAI's API. The answer is the provider's document, as it came, cut into pieces of text.
    Embeddings,
}

impl CallKind {
    /// Whether it is an ordinary answer.
    pub fn is_answer(&self) -> bool {
        *self == Self::Answer
    }
}

/// What the server has to know of a request beside its body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recorded {
    /// The name of the client's dialect; empty where it asked by the native API.
    #[serde(rename = "client_dialect", skip_serializing_if = "String::is_empty")]
    pub dialect: String,
    /// Headers that go to a provider of the client's dialect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The query of the URL, which goes to a provider of the client's dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The fields that the request goes without, or with in another form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped_fields: Vec<String>,
    /// Which call a provider of the client's dialect is asked by.
    #[serde(skip_serializing_if = "CallKind::is_answer")]
    pub call: CallKind,
    /// The SHA-256, in hexadecimal, of the route and the body: a client that asks the same again after it was cut off gets the
    /// answer of this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question_sha256: Option<String>,
    /// Whether a response was asked for in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<bool>,
    /// The response that this one follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_response_id: Option<String>,
}

impl Recorded {
    /// Of a client of that dialect.
    pub fn of_client(dialect: Dialect) -> Self {
        Self { dialect: dialect.as_str().to_owned(), ..Self::default() }
    }

    /// What is recorded with a prompt; none with one of the native API.
    pub fn of(prompt: &Prompt) -> Option<Self> {
        let fields = prompt.parameters.extra.get(PARAMETER)?;
        // Without what is large.
        let fields = fields.as_object()?.iter().filter(|(name, _)| *name != BODY && *name != SEALS);
        let fields: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_json::from_value(fields.into()).ok()
    }

    /// The dropped fields with commas between; none where there are none.
    pub fn dropped_list(&self) -> Option<String> {
        (!self.dropped_fields.is_empty()).then(|| self.dropped_fields.join(", "))
    }

    /// Records it with a prompt of the native API, if there is anything to record.
    pub fn keep_in(self, prompt: &mut Prompt) {
        if self != Self::default()
            && let Ok(fields) = serde_json::to_value(self)
        {
            prompt.parameters.extra.insert(PARAMETER.to_owned(), fields);
        }
    }

    /// The prompt of a request: it shows the beginning of the last question.
    pub fn prompt_of(self, conversation: &Conversation, body: Map<String, Value>) -> Prompt {
        let question = conversation.messages.iter().rev().find_map(|message| match message {
            Message::User(parts) => Some(Part::text_of(parts)),
            Message::System(_) | Message::Assistant { .. } | Message::ToolResult { .. } => None,
        });
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.insert(BODY.to_owned(), body.into());
        let seals = seals::recorded(conversation);
        if !seals.is_empty() {
            fields.insert(SEALS.to_owned(), seals.into());
        }
        Prompt {
            text: question.unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect(),
            system_message: None,
            parameters: Parameters {
                max_tokens: conversation.max_tokens,
                temperature: conversation.temperature,
                extra: Map::from_iter([(PARAMETER.to_owned(), fields.into())]),
            },
        }
    }
}

/// The dialect of the client that asked; none where it asked by the native API.
pub fn client_dialect_of(prompt: &Prompt) -> Option<Dialect> {
    Dialect::from_name(prompt.parameters.extra.get(PARAMETER)?.get("client_dialect")?.as_str()?)
}

/// Which of a provider's calls a prompt is for.
pub fn call_of(prompt: &Prompt) -> CallKind {
    let call = prompt.parameters.extra.get(PARAMETER).and_then(|recorded| recorded.get(CALL));
    call.and_then(|call| CallKind::deserialize(call).ok()).unwrap_or_default()
}

/// The request as its client sent it, in its own dialect.
pub fn body_of(prompt: &Prompt) -> Option<&Map<String, Value>> {
    prompt.parameters.extra.get(PARAMETER)?.get(BODY)?.as_object()
}

/// What a prompt asks. A request that only a provider of its own dialect can read is a conversation that no other can be asked.
///
/// # Errors
/// The parameter of the native API that is wrong.
pub fn conversation_of(prompt: &Prompt) -> Result<Conversation, InvalidRequest> {
    if call_of(prompt) == CallKind::Embeddings {
        return Ok(Conversation::of_user(prompt.text.clone()));
    }
    match (client_dialect_of(prompt), body_of(prompt)) {
        (Some(dialect), Some(body)) => {
            let mut conversation = dialect.read_request(body).conversation;
            let recorded = prompt.parameters.extra.get(PARAMETER).and_then(|recorded| recorded.get(SEALS));
            if let Some(recorded) = recorded.and_then(Value::as_object) {
                seals::put_back(&mut conversation, recorded);
            }
            Ok(conversation)
        }
        _ => openai_chat::conversation_of(prompt, given_parameters(&prompt.parameters)),
    }
}

/// The parameters of a prompt as its caller gave them.
pub(crate) fn given_parameters(parameters: &Parameters) -> Map<String, Value> {
    let mut all = parameters.extra.clone();
    if let Some(Value::Object(mut recorded)) = all.remove(PARAMETER)
        && let Some(Value::Object(body)) = recorded.remove(BODY)
    {
        all.extend(body);
    }
    all
}
