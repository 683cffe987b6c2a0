//! What becomes of a field that the target has nothing like (SPEC FD 12, "another dialect").

use serde_json::{Value, json};
use wordhoard_model::{Conversation, Loss};

/// Fields that change what the answer is: a target that has nothing like them refuses the request by name.
const MEANINGFUL: [&str; 26] = [
    // How tokens are chosen.
    "logit_bias",
    "top_k",
    "top_a",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "frequency_penalty",
    "presence_penalty",
    "temperature",
    "top_p",
    // What form the answer has.
    "logprobs",
    "top_logprobs",
    "audio",
    "modalities",
    "responseModalities",
    "speechConfig",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    // Parts of the conversation that only the provider has.
    "cachedContent",
    "conversation",
    "documents",
    "prompt",
    "raw_prompting",
];

/// What a request loses with this field; nothing where its value asks for nothing. A field that nobody knows is a hint: a
/// client that relies on it cannot expect it from another dialect's provider.
pub(crate) fn loss_of(name: &str, value: &Value, dialect: &str) -> Option<Loss> {
    if asks_for_nothing(name, value) {
        return None;
    }
    Some(match MEANINGFUL.contains(&name) {
        true => Loss::Meaning(format!("has no counterpart in {dialect}")),
        false => Loss::Hint,
    })
}

/// Notes a field that has no place in a conversation.
pub(crate) fn leave(name: &str, value: &Value, dialect: &str, asked: &mut Conversation) {
    match loss_of(name, value, dialect) {
        None => {}
        Some(Loss::Hint) => asked.leave_hint(name),
        Some(Loss::Meaning(problem)) => asked.leave_unplaced(name, problem),
    }
}

/// Whether the value is what holds without the field.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => value.as_f64() == Some(0.0),
        "repetition_penalty" | "length_penalty" | "top_p" | "temperature" => value.as_f64() == Some(1.0),
        "n" | "candidateCount" => *value == json!(1),
        "logprobs" | "store" | "background" | "raw_prompting" => *value == json!(false),
        "parallel_tool_calls" => *value == json!(true),
        "modalities" => *value == json!(["text"]),
        "responseModalities" => *value == json!(["TEXT"]),
        "truncation" => *value == json!("disabled"),
        "stream_options" => true,
        _ => match value {
            Value::Null => true,
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        },
    }
}
