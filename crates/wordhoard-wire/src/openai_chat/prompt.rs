//! Prompts of the native API, whose further parameters are fields of this dialect.

use serde_json::{Map, Value};
use wordhoard_model::{Conversation, Prompt};

use super::options;
use crate::InvalidRequest;

/// What a prompt of the native API asks, with these of its parameters that are fields of this dialect.
///
/// # Errors
/// The parameter that is wrong.
pub(crate) fn conversation_of(
    prompt: &Prompt,
    fields: Map<String, Value>,
) -> Result<Conversation, InvalidRequest> {
    let mut conversation = Conversation::of_user(prompt.text.as_str());
    conversation.system.clone_from(&prompt.system_message);
    options::take(fields, &mut conversation)?;
    conversation.max_tokens = prompt.parameters.max_tokens.or(conversation.max_tokens);
    conversation.temperature = prompt.parameters.temperature;
    Ok(conversation)
}
