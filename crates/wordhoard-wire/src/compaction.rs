//! Summaries in the place of a conversation, for clients of the responses dialect whose provider speaks another: a model is
//! asked for one, and the client keeps it as a `compaction` item, which later turns bring back.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/responses/compact>; <https://github.com/openai/codex/pull/22809>
//! for the trigger.

use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, Message, Part};

/// The type of an item that holds a summary.
pub(crate) const ITEM: &str = "compaction";
/// The type of an item that asks for one.
pub(crate) const TRIGGER: &str = "compaction_trigger";
/// What stands before a summary of ours, where a provider's would be sealed.
const MARK: &str = "wordhoard.summary.1:";
/// What the model is asked.
const INSTRUCTION: &str = "Summarise the conversation so far for the assistant that continues it, in place of the \
    conversation itself. Keep every fact, decision, name, path, command and result that later work may need, what was \
    asked for, what is done, and what remains to be done. Answer with the summary only.";
/// What introduces it to the model that continues.
const INTRODUCTION: &str = "Summary of the conversation until here:\n\n";

/// Whether a request asks for a summary.
pub fn is_asked_for(input: Option<&Value>) -> bool {
    let items = input.and_then(Value::as_array);
    items.is_some_and(|items| items.iter().any(|item| item["type"] == TRIGGER))
}

/// The item that asks for a summary.
pub fn trigger() -> Value {
    json!({"type": TRIGGER})
}

/// Takes out what the call for compaction has no place for: it needs no item that asks for a summary.
/// <https://platform.openai.com/docs/api-reference/responses/compact>
pub(crate) fn strip(fields: &mut Map<String, Value>) {
    ["stream", "store"].iter().for_each(|name| drop(fields.remove(*name)));
    if let Some(Value::Array(items)) = fields.get_mut("input") {
        items.retain(|item| item["type"] != TRIGGER);
    }
}

/// Asks for a summary of the conversation. No tool is called for it.
pub(crate) fn ask_for_summary(asked: &mut Conversation) {
    asked.tools.clear();
    (asked.tool_choice, asked.parallel_tool_calls, asked.response_format) = (None, None, None);
    asked.messages.push(Message::User(vec![Part::Text(INSTRUCTION.to_owned())]));
}

/// The item that holds a summary.
pub(crate) fn item(summary: &str) -> Value {
    json!({"type": ITEM, "encrypted_content": format!("{MARK}{summary}")})
}

/// What an item of ours says to the model that continues; none where a provider has sealed it.
pub(crate) fn summary_of(item: &Value) -> Option<String> {
    let summary = item.get("encrypted_content")?.as_str()?.strip_prefix(MARK)?;
    Some(format!("{INTRODUCTION}{summary}"))
}
