//! What a model has to get back in the next turn so that it can go on from its own reasoning: signatures, encrypted
//! reasoning, and the reasoning itself. It is known by the call of a tool that it led to, since that is what comes back by
//! every dialect of a client.
//!
//! Sources: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, preserving thinking blocks;
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>; <https://platform.openai.com/docs/guides/reasoning>, encrypted
//! reasoning items; <https://api-docs.deepseek.com/guides/thinking_mode>, tool calls.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use wordhoard_model::{Conversation, Message, Seal, TokenKind, ToolCall};

use crate::{Dialect, ToolCallPiece};

/// Collects the seals of an answer from its pieces.
#[derive(Debug)]
pub struct SealCollector {
    dialect: Dialect,
    provider: String,
    /// The reasoning since the last block of it ended.
    reasoning: String,
    /// What stands before the next call.
    before: Vec<Value>,
    calls: Vec<SealedCall>,
    /// Whether the last piece was one of the last call.
    is_in_call: bool,
}

#[derive(Debug, Default)]
struct SealedCall {
    call: ToolCallPiece,
    before: Vec<Value>,
    signature: Option<String>,
}

impl SealCollector {
    /// For an answer of that provider, which speaks that dialect.
    pub fn new(dialect: Dialect, provider: impl Into<String>) -> Self {
        Self {
            dialect,
            provider: provider.into(),
            reasoning: String::new(),
            before: Vec::new(),
            calls: Vec::new(),
            is_in_call: false,
        }
    }

    /// Takes the next piece in.
    pub fn take(&mut self, kind: TokenKind, text: &str) {
        let was_in_call = std::mem::replace(&mut self.is_in_call, kind == TokenKind::ToolCall);
        match kind {
            TokenKind::Text | TokenKind::Refusal => {}
            TokenKind::Reasoning => self.reasoning.push_str(text),
            TokenKind::Annotation => {
                if let Ok(Value::Object(said)) = serde_json::from_str(text) {
                    self.annotate(said, was_in_call);
                }
            }
            TokenKind::ToolCall => self.call(ToolCallPiece::from_text(text)),
        }
    }

    /// The ids of the calls, each with its seal; none inside where it needs none.
    pub fn finish(self) -> impl Iterator<Item = (String, Option<Seal>)> {
        let (dialect, provider) = (self.dialect.as_str(), self.provider);
        self.calls.into_iter().filter_map(move |SealedCall { call, before, signature }| {
            let id = call.id.clone()?;
            let is_empty = before.is_empty() && signature.is_none();
            let seal = (!is_empty).then(|| Seal {
                dialect: dialect.to_owned(),
                provider: provider.clone(),
                call_digest: digest_of(
                    call.name.as_deref().unwrap_or_default(),
                    call.arguments.as_deref().unwrap_or_default(),
                ),
                before,
                signature,
            });
            Some((id, seal))
        })
    }

    fn annotate(&mut self, mut said: Map<String, Value>, is_behind_call: bool) {
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
        match (self.dialect, kind) {
            (Dialect::Anthropic, "signature_delta") => {
                let thinking = std::mem::take(&mut self.reasoning);
                if let Some(signature @ Value::String(_)) = said.remove("signature") {
                    self.before
                        .push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
                }
            }
            (Dialect::Anthropic, "redacted_thinking") | (Dialect::OpenAiResponses, "reasoning") => {
                self.before.push(said.into());
            }
            (Dialect::Gemini, _) => {
                let signature = said.get("thoughtSignature").and_then(Value::as_str);
                if let (true, Some(signature), Some(last)) =
                    (is_behind_call, signature, self.calls.last_mut())
                {
                    last.signature.get_or_insert_with(|| signature.to_owned());
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, piece: ToolCallPiece) {
        if let Some(known) = self.calls.iter_mut().find(|known| known.call.index == piece.index) {
            return known.call.append(piece);
        }
        let reasoning = std::mem::take(&mut self.reasoning);
        if self.dialect == Dialect::OpenAiChat && !reasoning.is_empty() {
            self.before.push(reasoning.into());
        }
        let before = std::mem::take(&mut self.before);
        self.calls.push(SealedCall { call: piece, before, signature: None });
    }
}

/// What a call is: the same however its arguments are written.
fn digest_of(name: &str, arguments: &str) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> =
                    fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
                fields.sort_by(|one, other| one.0.cmp(&other.0));
                Value::Object(fields.into_iter().collect())
            }
            Value::Array(items) => items.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    let arguments = match serde_json::from_str::<Value>(arguments) {
        Ok(read) => sorted(read).to_string(),
        Err(_) if arguments.trim().is_empty() => "{}".to_owned(),
        Err(_) => arguments.to_owned(),
    };
    let digest = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(arguments).finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The ids of the calls of tools in a conversation, the newest first.
pub fn call_ids(conversation: &Conversation) -> Vec<String> {
    let calls = conversation.messages.iter().rev().filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        _ => None,
    });
    calls.flat_map(|calls| calls.iter().rev()).map(|call| call.id.clone()).collect()
}

/// Gives the calls of a conversation their seals; one that is of another call under the same id is none.
pub fn put_on(conversation: &mut Conversation, mut seal_of: impl FnMut(&str) -> Option<Arc<Seal>>) {
    for call in calls_mut(conversation) {
        let digest = || digest_of(&call.name, &call.arguments);
        call.seal = seal_of(&call.id).filter(|seal| seal.call_digest == digest());
    }
}

/// Takes away the seals that another provider than that one has made.
pub fn keep_those_of(conversation: &mut Conversation, provider: &str) {
    for call in calls_mut(conversation) {
        call.seal = call.seal.take().filter(|seal| seal.provider == provider);
    }
}

fn calls_mut(conversation: &mut Conversation) -> impl Iterator<Item = &mut ToolCall> {
    let calls = conversation.messages.iter_mut().filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        _ => None,
    });
    calls.flatten()
}

/// The seals of a conversation, by the ids of their calls, as they are recorded with its request.
pub(crate) fn recorded(conversation: &Conversation) -> Map<String, Value> {
    let calls = conversation.messages.iter().filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        _ => None,
    });
    let of_call = |call: &ToolCall| {
        let Seal { dialect, provider, call_digest, before, signature } = call.seal.as_deref()?;
        let seal = json!({
            "dialect": dialect,
            "provider": provider,
            "call_digest": call_digest,
            "before": before,
            "signature": signature,
        });
        Some((call.id.clone(), seal))
    };
    calls.flatten().filter_map(of_call).collect()
}

/// The counterpart of [`recorded`].
pub(crate) fn put_back(conversation: &mut Conversation, recorded: &Map<String, Value>) {
    put_on(conversation, |id| {
        let seal = recorded.get(id)?;
        let text = |field: &str| seal.get(field).and_then(Value::as_str).map(str::to_owned);
        Some(Arc::new(Seal {
            dialect: text("dialect")?,
            provider: text("provider")?,
            call_digest: text("call_digest")?,
            before: seal.get("before").and_then(Value::as_array).cloned().unwrap_or_default(),
            signature: text("signature"),
        }))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(dialect: Dialect, pieces: &[(TokenKind, &str)]) -> Vec<(String, Option<Seal>)> {
        let mut collector = SealCollector::new(dialect, "p");
        pieces.iter().for_each(|(kind, text)| collector.take(*kind, text));
        collector.finish().collect()
    }

    #[test]
    fn each_call_has_what_led_to_it() {
        use TokenKind::{Annotation, Reasoning, Text, ToolCall};
        let call = |id: &'static str| (ToolCall, id);
        let seal = |dialect: Dialect, before: Vec<Value>, signature: Option<&str>| {
            let signature = signature.map(str::to_owned);
            let (provider, call_digest) = ("p".to_owned(), digest_of("f", ""));
            Some(Seal { dialect: dialect.as_str().into(), provider, call_digest, before, signature })
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
        // What comes behind another piece belongs to that, and a signature that is none to nothing.
        let told = [call(a), (Text, "x"), (Annotation, r#"{"thoughtSignature":"g"}"#)];
        assert_eq!(seals(Dialect::Gemini, &told), [("a".to_owned(), None)]);
        let told = [(Annotation, r#"{"type":"signature_delta"}"#), call(a)];
        assert_eq!(seals(Dialect::Anthropic, &told), [("a".to_owned(), None)]);
        let told = [(Reasoning, "why"), call(a)];
        assert_eq!(
            seals(Dialect::OpenAiChat, &told),
            [("a".to_owned(), seal(Dialect::OpenAiChat, vec!["why".into()], None))]
        );
    }

    #[test]
    fn another_call_under_the_same_id_gets_no_seal() {
        let mut collector = SealCollector::new(Dialect::OpenAiChat, "p");
        collector.take(TokenKind::Reasoning, "why");
        collector.take(
            TokenKind::ToolCall,
            r#"{"index":0,"id":"call_0","name":"f","arguments":"{\"a\":1,\"b\":2}"}"#,
        );
        let seal = Arc::new(collector.finish().next().unwrap().1.unwrap());
        for (arguments, is_it) in [("{\"b\": 2, \"a\": 1}", true), ("{\"a\":1}", false)] {
            let tool_calls = vec![ToolCall::new("call_0", "f", arguments)];
            let messages = vec![Message::Assistant { parts: Vec::new(), tool_calls }];
            let mut conversation = Conversation { messages, ..Conversation::default() };
            put_on(&mut conversation, |_| Some(Arc::clone(&seal)));
            let has_it = |conversation: &Conversation| !recorded(conversation).is_empty();
            assert_eq!(has_it(&conversation), is_it, "{arguments}");
            keep_those_of(&mut conversation, "another");
            assert!(!has_it(&conversation));
        }
    }
}
