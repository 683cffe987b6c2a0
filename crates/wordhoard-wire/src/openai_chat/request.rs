use serde_json::{Map, Value, json};
use wordhoard_model::Prompt;

/// The body that asks `model` for a streamed answer.
///
/// Usage is always asked for (`stream_options.include_usage`). The prompt's further parameters go along verbatim, but
/// cannot replace what is set here.
pub fn encode_request(model: &str, prompt: &Prompt) -> Vec<u8> {
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let mut messages = Vec::new();
    if let Some(system) = &prompt.system_message {
        messages.push(message("system", system));
    }
    messages.push(message("user", &prompt.text));

    let mut body: Map<String, Value> = prompt.parameters.extra.clone();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("model", model.into());
    set("messages", messages.into());
    set("stream", true.into());
    set("stream_options", json!({"include_usage": true}));
    if let Some(max_tokens) = prompt.parameters.max_tokens {
        set("max_tokens", max_tokens.into());
    }
    if let Some(temperature) = prompt.parameters.temperature {
        set("temperature", temperature.into());
    }
    Value::Object(body).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use wordhoard_model::Parameters;

    use super::*;

    #[test]
    fn carries_both_messages_and_every_parameter() {
        let mut parameters =
            Parameters { max_tokens: Some(7), temperature: Some(0.5), ..Parameters::default() };
        parameters.insert("stop", json!(["a", "b"])).unwrap();
        parameters.insert("seed", json!(3)).unwrap();
        let prompt = Prompt::new("ask \"it\"".into(), Some("be kind".into()), parameters).unwrap();
        let body: Value = serde_json::from_slice(&encode_request("gpt-4o", &prompt)).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "be kind"},
                    {"role": "user", "content": "ask \"it\""},
                ],
                "stream": true,
                "stream_options": {"include_usage": true},
                "max_tokens": 7,
                "temperature": 0.5,
                "stop": ["a", "b"],
                "seed": 3,
            })
        );
    }
}
