//! Conversations as prompts of ours, and back: what is recorded of a request is a prompt, whose further parameters are
//! fields of this dialect.

use serde_json::{Map, Value};
use wordhoard_model::{Capabilities, Conversation, Message, Parameters, Part, Prompt};

use super::client_request::take_messages;
use super::{options, request};
use crate::{Ask, CannotHonour, Dialect, InvalidRequest, Unsupported};

/// The field that holds the messages, where they are more than those of a prompt. A caller of the native API cannot give
/// it: it is none of the known parameters.
const MESSAGES: &str = "messages";
/// The field that holds what the server has to remember of a request beside its conversation. No provider is told it, and a
/// caller of the native API cannot give it either.
pub const REMEMBERED: &str = "remembered";
/// What is remembered of the dialect in which a client asked, where it shall get all that a provider of that dialect says.
const CLIENT_DIALECT: &str = "client_dialect";
/// How much of the last question stands in the prompt's own text, which is what lists show.
const MAX_TEXT_CHARS: usize = 8_000;

/// What a prompt asks, its parameters being those of this dialect.
///
/// # Errors
/// The parameter that is wrong.
pub fn conversation_of(prompt: &Prompt) -> Result<Conversation, InvalidRequest> {
    if let (Some(dialect), Some(body)) = (client_dialect_of(prompt), verbatim_of(prompt)) {
        let body = Value::Object(body.clone()).to_string();
        return Ok(dialect.decode_request(body.as_bytes())?.conversation);
    }
    let mut fields = prompt.parameters.extra.clone();
    fields.remove(REMEMBERED);
    let mut conversation = match fields.remove(MESSAGES) {
        Some(Value::Array(messages)) => {
            let mut conversation = Conversation::default();
            take_messages(messages, &mut conversation)?;
            conversation
        }
        Some(_) => return Err(InvalidRequest::field(MESSAGES, "must be a list")),
        None => {
            let mut conversation = Conversation::of_user(prompt.text.as_str());
            conversation.system.clone_from(&prompt.system_message);
            conversation
        }
    };
    options::take(fields, &mut conversation)?;
    conversation.max_tokens = prompt.parameters.max_tokens.or(conversation.max_tokens);
    conversation.temperature = prompt.parameters.temperature;
    Ok(conversation)
}

/// What is remembered of a request that says more than a conversation holds: its body.
const BODY: &str = "body";

/// The request as its client sent it, where it says more than a conversation holds.
pub fn verbatim_of(prompt: &Prompt) -> Option<&Map<String, Value>> {
    prompt.parameters.extra.get(REMEMBERED)?.get(BODY)?.as_object()
}

/// Records a request as its client sent it, in the place of the fields of its conversation.
pub fn keep_verbatim(prompt: &mut Prompt, remembered: &mut Map<String, Value>, body: Map<String, Value>) {
    let newer_name = prompt.parameters.extra.get("max_completion_tokens").and_then(Value::as_u64);
    let newer_name = newer_name.and_then(|most| u32::try_from(most).ok());
    prompt.parameters.max_tokens = prompt.parameters.max_tokens.or(newer_name);
    prompt.parameters.extra.clear();
    remembered.insert(BODY.to_owned(), body.into());
}

/// The dialect of the client that asked, where it shall get all that a provider of that dialect says.
pub fn client_dialect_of(prompt: &Prompt) -> Option<Dialect> {
    Dialect::from_name(prompt.parameters.extra.get(REMEMBERED)?.get(CLIENT_DIALECT)?.as_str()?)
}

/// Has it remembered in what dialect a client asked.
pub fn remember_client_dialect(remembered: &mut Map<String, Value>, dialect: Dialect) {
    remembered.insert(CLIENT_DIALECT.to_owned(), dialect.as_str().into());
}

/// A conversation of any length as a prompt: [`conversation_of`] gives it back. The prompt's text is the beginning of the
/// last question.
///
/// # Errors
/// None that this dialect could have: it has a place for all that a conversation holds.
pub fn prompt_of(conversation: &Conversation) -> Result<Prompt, CannotHonour> {
    let capabilities = Capabilities::default();
    let mut fields = request::fields(&Ask::of_nobody(conversation, &capabilities, Unsupported::Refuse))?;
    fields.remove("model");
    let max_tokens = fields.remove("max_tokens").and(conversation.max_tokens);
    fields.remove("temperature");
    let question = conversation.messages.iter().rev().find_map(|message| match message {
        Message::User(parts) => Some(Part::text_of(parts)),
        Message::Assistant { .. } | Message::ToolResult { .. } => None,
    });
    Ok(Prompt {
        text: question.unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect(),
        system_message: None,
        parameters: Parameters { max_tokens, temperature: conversation.temperature, extra: fields },
    })
}
