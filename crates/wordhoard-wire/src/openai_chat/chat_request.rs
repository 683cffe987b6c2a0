use serde::Deserialize;
use serde_json::{Map, Value};

/// A client's request, as far as its fields are typed here; the others are kept as they came.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ChatRequest {
    /// The model that is asked for.
    pub model: String,
    /// The conversation so far, oldest message first. Each is an object with `role` and `content`.
    pub messages: Vec<Map<String, Value>>,
    /// Whether the answer shall be streamed.
    #[serde(default)]
    pub stream: Option<bool>,
    /// What the stream shall hold.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    /// The most tokens that the answer may have, in the old spelling.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// The most tokens that the answer may have, reasoning included.
    #[serde(default)]
    pub max_completion_tokens: Option<u32>,
    /// 0 to 2; higher is more varied.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a stream shall hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StreamOptions {
    /// Whether a chunk with the usage comes before `[DONE]`.
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// A body that is no request of this dialect.
#[derive(Debug, thiserror::Error)]
#[error("the body is no chat completion request: {0}")]
pub struct InvalidRequest(#[from] serde_json::Error);

impl ChatRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is no JSON object, or a typed field is missing or of another type.
    pub fn decode(body: &[u8]) -> Result<Self, InvalidRequest> {
        Ok(serde_json::from_slice(body)?)
    }

    /// Whether the client asked for usage in the stream.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// The text of the last message of that role; parts of a list are joined. None where there is no such message.
    pub fn last_text(&self, role: &str) -> Option<String> {
        let of_role =
            |message: &&Map<String, Value>| message.get("role").and_then(Value::as_str) == Some(role);
        let message = self.messages.iter().rev().find(of_role)?;
        match message.get("content")? {
            Value::String(text) => Some(text.clone()),
            Value::Array(parts) => Some(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use wordhoard_model::{Parameters, Prompt};

    use super::*;
    use crate::openai_chat::encode_request;

    #[test]
    fn what_we_send_to_a_provider_reads_back_and_unknown_fields_are_kept() {
        let mut parameters = Parameters::default();
        parameters.insert("seed", 5.into()).unwrap();
        let prompt = Prompt::new("hi".into(), Some("sys".into()), parameters).unwrap();
        let request = ChatRequest::decode(&encode_request("m", &prompt)).unwrap();
        assert_eq!(request.model, "m");
        assert_eq!(request.last_text("user").as_deref(), Some("hi"));
        assert_eq!(request.last_text("system").as_deref(), Some("sys"));
        assert!(request.wants_usage() && request.stream == Some(true));
        assert_eq!(request.extra.get("seed"), Some(&5.into()));
        let parts = br#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#;
        assert_eq!(ChatRequest::decode(parts).unwrap().last_text("user").as_deref(), Some("ab"));
        let missing = ChatRequest::decode(br#"{"messages":[]}"#).unwrap_err();
        assert!(missing.to_string().contains("missing field `model`"), "{missing}");
    }
}
