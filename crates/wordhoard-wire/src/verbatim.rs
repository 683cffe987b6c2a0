//! Requests that go to a provider of the client's own dialect as they came (SPEC FD 12, "same dialect on both sides"): only what
//! is the server's own is set.

use serde_json::{Map, Value, json};
use wordhoard_model::Prefill;

use crate::{Ask, Dialect};

/// The request as it came, for the model and the way of the call. Where the answer continues, its beginning stands behind the
/// conversation, and the limit is what is left of it.
pub(crate) fn fields(dialect: Dialect, body: &Map<String, Value>, ask: &Ask<'_>) -> Map<String, Value> {
    let mut fields = body.clone();
    if dialect == Dialect::Gemini {
        // Both stand in the URL.
        ["model", "stream"].iter().for_each(|name| drop(fields.remove(*name)));
    } else {
        fields.insert("model".to_owned(), ask.model.into());
        match ask.stream {
            true => drop(fields.insert("stream".to_owned(), true.into())),
            false => drop(fields.remove("stream")),
        }
    }
    match dialect {
        Dialect::OpenAiChat if ask.stream => {
            let options = fields.entry("stream_options").or_insert(Value::Null);
            if !options.is_object() {
                *options = json!({});
            }
            options["include_usage"] = true.into();
        }
        Dialect::OpenAiChat => drop(fields.remove("stream_options")),
        Dialect::OpenAiResponses => {
            fields.insert("store".to_owned(), false.into());
            if let Some(Value::Array(items)) = fields.get_mut("input") {
                items.retain(|item| !is_only_a_reference(item));
            }
        }
        Dialect::Anthropic | Dialect::Gemini | Dialect::Cohere => {}
    }
    if let Some(so_far) = ask.answer_so_far {
        continue_after(so_far, dialect, ask, &mut fields);
        limit_to(ask.conversation.max_tokens, &mut fields);
    }
    fields
}

/// Reasoning that the provider would have to have kept, and has not, since `store` is ours:
/// <https://platform.openai.com/docs/guides/reasoning>, encrypted reasoning items.
fn is_only_a_reference(item: &Value) -> bool {
    item["type"] == "reasoning" && !item["encrypted_content"].is_string()
}

/// Puts the beginning of the answer behind the conversation, in the way that the model knows ([`Prefill`]).
fn continue_after(so_far: &str, dialect: Dialect, ask: &Ask<'_>, fields: &mut Map<String, Value>) {
    let list = match dialect {
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
        Dialect::OpenAiChat | Dialect::Anthropic | Dialect::Cohere => "messages",
    };
    let mut turn = match dialect {
        Dialect::OpenAiResponses => json!({
            "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": so_far}],
        }),
        Dialect::Gemini => json!({"role": "model", "parts": [{"text": so_far}]}),
        // The last message of the assistant may end in no white space, and none may stand behind reasoning.
        Dialect::Anthropic => {
            fields.remove("thinking");
            json!({"role": "assistant", "content": so_far.trim_end()})
        }
        Dialect::OpenAiChat | Dialect::Cohere => json!({"role": "assistant", "content": so_far}),
    };
    match ask.capabilities.prefill {
        Some(Prefill::Prefix) => turn["prefix"] = true.into(),
        Some(Prefill::ContinueFinalMessage) => {
            fields.insert("continue_final_message".to_owned(), true.into());
            fields.insert("add_generation_prompt".to_owned(), false.into());
        }
        Some(Prefill::Message) | None => {}
    }
    match fields.get_mut(list) {
        Some(Value::Array(turns)) => turns.push(turn),
        Some(question @ Value::String(_)) => {
            *question = json!([{"type": "message", "role": "user", "content": question.take()}, turn]);
        }
        _ => {}
    }
}

/// Sets what is left of the limit, under the name that the request has for it.
fn limit_to(left: Option<u32>, fields: &mut Map<String, Value>) {
    let Some(left) = left else { return };
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        if let Some(limit) = fields.get_mut(name) {
            *limit = left.into();
        }
    }
    for config in ["generationConfig", "generation_config"] {
        for name in ["maxOutputTokens", "max_output_tokens"] {
            if let Some(limit) = fields.get_mut(config).and_then(|config| config.get_mut(name)) {
                *limit = left.into();
            }
        }
    }
}
