//! What a request may use, before anybody has counted it.

use serde_json::{Map, Value};
use wordhoard_model::{Capabilities, Cost, Prompt, Usage};
use wordhoard_providers::{CallKind, body_of, call_of};

/// Bytes of a token, as tokenizers cut English: <https://platform.openai.com/tokenizer>. In scripts whose characters are longer, a
/// token has fewer of them.
const BYTES_PER_TOKEN: u64 = 4;
/// What an image counts for. Providers count 85 to some 1,600.
const TOKENS_PER_IMAGE: u64 = 1_000;
/// What an answer without a limit counts for.
const ANSWER_TOKENS: u64 = 1_000;

/// What a request may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Tokens of the prompts and answers of all lanes.
    pub(crate) tokens: u64,
    /// What they cost, of the models whose price is known.
    pub(crate) cost: Cost,
}

impl Estimate {
    /// With one more lane, by a model of which this is known.
    pub(crate) fn with_lane(self, prompt: &Prompt, capabilities: Option<&Capabilities>) -> Self {
        let most = capabilities.and_then(|known| known.max_output_tokens).map_or(u64::MAX, u64::from);
        let newer_name = || prompt.parameters.extra.get("max_completion_tokens").and_then(Value::as_u64);
        let asked = prompt.parameters.max_tokens.map(u64::from).or_else(newer_name);
        let (input_tokens, output_tokens) = match call_of(prompt) {
            CallKind::Embeddings => (body_of(prompt).map_or(0, of_embedded), 0),
            CallKind::Answer | CallKind::Compaction => {
                (of_prompt(prompt), asked.unwrap_or(ANSWER_TOKENS).min(most))
            }
        };
        let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
        let price = capabilities.and_then(|known| known.price.as_ref());
        Self {
            tokens: self.tokens.saturating_add(usage.input_tokens).saturating_add(output_tokens),
            cost: price.map_or(self.cost, |price| self.cost.plus(price.cost_of(&usage))),
        }
    }
}

/// About how many tokens a prompt has, with all the messages and tools that it carries. Of a request of a drop-in API all is in its
/// body; what else is recorded of it is ours.
pub(crate) fn of_prompt(prompt: &Prompt) -> u64 {
    if let Some(body) = body_of(prompt) {
        return tokens_of_fields(body);
    }
    let system = prompt.system_message.as_deref().map_or(0, bytes);
    (bytes(&prompt.text) + system).div_ceil(BYTES_PER_TOKEN) + tokens_of_fields(&prompt.parameters.extra)
}

/// About how many tokens are embedded: texts, or tokens as numbers.
fn of_embedded(body: &Map<String, Value>) -> u64 {
    fn of_input(input: &Value) -> u64 {
        match input {
            Value::Number(_) => 1,
            Value::Array(inputs) => inputs.iter().map(of_input).sum(),
            other => tokens_of(other),
        }
    }
    body.get("input").map_or(0, of_input)
}

/// About how many tokens the texts of a JSON object have.
fn tokens_of_fields(fields: &Map<String, Value>) -> u64 {
    fields.values().map(tokens_of).sum()
}

/// The same of any value.
pub(crate) fn tokens_of(value: &Value) -> u64 {
    match value {
        Value::String(text) if text.starts_with("data:") => TOKENS_PER_IMAGE,
        Value::String(text) => bytes(text).div_ceil(BYTES_PER_TOKEN),
        Value::Array(values) => values.iter().map(tokens_of).sum(),
        // Anthropic's way to write an image or a document.
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "base64") => TOKENS_PER_IMAGE,
        Value::Object(fields) => tokens_of_fields(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn bytes(text: &str) -> u64 {
    text.len() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wordhoard_model::{Parameters, Price, Rates};

    use super::*;

    #[test]
    fn an_image_is_not_counted_by_its_bytes() {
        let mut parameters = Parameters { max_tokens: Some(50), ..Parameters::default() };
        let image = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let messages = json!([{"role": "user", "content": [{"text": "12345678"}, {"url": image}]}]);
        let recorded = json!({"client_dialect": "openai", "body": {"messages": messages}});
        parameters.extra.insert("remembered".into(), recorded);
        let prompt = Prompt { text: "12345678".into(), system_message: None, parameters };
        // A token for the role.
        assert_eq!(of_prompt(&prompt), 1_000 + 2 + 1);
        let price = Price::of(Rates { input: 1_000_000, output: 2_000_000, ..Rates::default() });
        let known = Capabilities {
            price: Some(price.into()),
            max_output_tokens: Some(10),
            ..Capabilities::default()
        };
        let estimate = Estimate::default().with_lane(&prompt, Some(&known)).with_lane(&prompt, None);
        assert_eq!(estimate.tokens, 1_003 + 10 + 1_003 + 50);
        assert_eq!(estimate.cost.nano_usd(), 1_003_000 + 20_000);
    }
}
