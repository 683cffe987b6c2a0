//! What a model has to get back in the next turn so that it can go on from its own reasoning: signatures, encrypted
//! reasoning, and the reasoning itself. It is known by the call of a tool that it led to, since that is what comes back by
//! every dialect of a client.
//!
//! Sources: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, preserving thinking blocks;
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>; <https://platform.openai.com/docs/guides/reasoning>, encrypted
//! reasoning items; <https://api-docs.deepseek.com/guides/thinking_mode>, tool calls.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, Message, Seal, TokenKind};

use crate::{Dialect, ToolCallPiece};

/// Collects the seals of an answer from its pieces.
#[derive(Debug)]
pub struct SealCollector {
    dialect: Dialect,
    /// The reasoning since the last block of it ended.
    reasoning: String,
    /// What stands before the next call.
    before: Vec<Value>,
    /// The ids of the calls, with their seals.
    calls: Vec<(String, Seal)>,
}

impl SealCollector {
    /// For an answer of a provider of that dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, reasoning: String::new(), before: Vec::new(), calls: Vec::new() }
    }

    /// Takes the next piece in.
    pub fn take(&mut self, kind: TokenKind, text: &str) {
        match kind {
            TokenKind::Text | TokenKind::Refusal => {}
            TokenKind::Reasoning => self.reasoning.push_str(text),
            TokenKind::Annotation => {
                if let Ok(Value::Object(said)) = serde_json::from_str(text) {
                    self.annotate(said);
                }
            }
            TokenKind::ToolCall => {
                if let Some(id) = ToolCallPiece::from_text(text).id {
                    self.call(id);
                }
            }
        }
    }

    /// The calls, each with its seal; none inside where it needs none.
    pub fn finish(self) -> impl Iterator<Item = (String, Option<Seal>)> {
        self.calls.into_iter().map(|(id, seal)| {
            let is_empty = seal.before.is_empty() && seal.signature.is_none();
            (id, (!is_empty).then_some(seal))
        })
    }

    fn annotate(&mut self, mut said: Map<String, Value>) {
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
        match (self.dialect, kind) {
            (Dialect::Anthropic, "signature_delta") => {
                let (thinking, signature) = (std::mem::take(&mut self.reasoning), said["signature"].take());
                self.before.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
            }
            (Dialect::Anthropic, "redacted_thinking") | (Dialect::OpenAiResponses, "reasoning") => {
                self.before.push(said.into());
            }
            (Dialect::Gemini, _) => {
                let signature = said.get("thoughtSignature").and_then(Value::as_str);
                if let (Some(signature), Some((_, last))) = (signature, self.calls.last_mut()) {
                    last.signature.get_or_insert_with(|| signature.to_owned());
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, id: String) {
        let reasoning = std::mem::take(&mut self.reasoning);
        if self.dialect == Dialect::OpenAiChat && !reasoning.is_empty() {
            self.before.push(reasoning.into());
        }
        let before = std::mem::take(&mut self.before);
        self.calls.push((id, Seal { dialect: self.dialect.as_str().to_owned(), before, signature: None }));
    }
}

/// The ids of the calls of tools in a conversation, the newest first.
pub fn call_ids(conversation: &Conversation) -> Vec<String> {
    let calls = conversation.messages.iter().rev().filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        _ => None,
    });
    calls.flat_map(|calls| calls.iter().rev()).map(|call| call.id.clone()).collect()
}

/// Gives the calls of a conversation their seals.
pub fn put_on(conversation: &mut Conversation, mut seal_of: impl FnMut(&str) -> Option<Arc<Seal>>) {
    for message in &mut conversation.messages {
        if let Message::Assistant { tool_calls, .. } = message {
            tool_calls.iter_mut().for_each(|call| call.seal = seal_of(&call.id));
        }
    }
}

/// The seals of a conversation, by the ids of their calls, as they are recorded with its request.
pub(crate) fn recorded(conversation: &Conversation) -> Map<String, Value> {
    let calls = conversation.messages.iter().filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        _ => None,
    });
    let of_call = |call: &wordhoard_model::ToolCall| {
        let Seal { dialect, before, signature } = call.seal.as_deref()?;
        Some((call.id.clone(), json!({"dialect": dialect, "before": before, "signature": signature})))
    };
    calls.flatten().filter_map(of_call).collect()
}

/// The counterpart of [`recorded`].
pub(crate) fn put_back(conversation: &mut Conversation, recorded: &Map<String, Value>) {
    put_on(conversation, |id| {
        let seal = recorded.get(id)?;
        Some(Arc::new(Seal {
            dialect: seal["dialect"].as_str()?.to_owned(),
            before: seal["before"].as_array().cloned().unwrap_or_default(),
            signature: seal["signature"].as_str().map(str::to_owned),
        }))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(dialect: Dialect, pieces: &[(TokenKind, &str)]) -> Vec<(String, Option<Seal>)> {
        let mut collector = SealCollector::new(dialect);
        pieces.iter().for_each(|(kind, text)| collector.take(*kind, text));
        collector.finish().collect()
    }

    #[test]
    fn each_call_has_what_led_to_it() {
        use TokenKind::{Annotation, Reasoning, Text, ToolCall};
        let call = |id: &'static str| (ToolCall, id);
        let seal = |dialect: Dialect, before: Vec<Value>, signature: Option<&str>| {
            let signature = signature.map(str::to_owned);
            Some(Seal { dialect: dialect.as_str().into(), before, signature })
        };
        let (a, b) = (r#"{"index":0,"id":"a","name":"f"}"#, r#"{"index":1,"id":"b","name":"f"}"#);
        let signed = r#"{"type":"signature_delta","signature":"s"}"#;
        let redacted = r#"{"type":"redacted_thinking","data":"d"}"#;
        let told = [
            (Reasoning, "th"),
            (Reasoning, "ink"),
            (Annotation, signed),
            (Annotation, redacted),
            (Text, "x"),
            call(a),
            call(b),
        ];
        let blocks = vec![
            json!({"type": "thinking", "thinking": "think", "signature": "s"}),
            json!({"type": "redacted_thinking", "data": "d"}),
        ];
        assert_eq!(
            seals(Dialect::Anthropic, &told),
            [("a".to_owned(), seal(Dialect::Anthropic, blocks, None)), ("b".to_owned(), None)]
        );
        let told = [call(a), (Annotation, r#"{"thoughtSignature":"g"}"#), call(b)];
        assert_eq!(
            seals(Dialect::Gemini, &told),
            [("a".to_owned(), seal(Dialect::Gemini, vec![], Some("g"))), ("b".to_owned(), None)]
        );
        let item = r#"{"type":"reasoning","id":"rs_1","encrypted_content":"e"}"#;
        let told = [(Reasoning, "short"), (Annotation, item), call(a)];
        let before = vec![serde_json::from_str(item).unwrap()];
        assert_eq!(
            seals(Dialect::OpenAiResponses, &told),
            [("a".to_owned(), seal(Dialect::OpenAiResponses, before, None))]
        );
        let told = [(Reasoning, "why"), call(a)];
        assert_eq!(
            seals(Dialect::OpenAiChat, &told),
            [("a".to_owned(), seal(Dialect::OpenAiChat, vec!["why".into()], None))]
        );
    }
}
