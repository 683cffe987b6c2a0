use serde_json::{Value, json};
use wordhoard_model::TokenKind;

use super::behaviour::{Behaviour, Content, Stream};

const HUGE_TOKEN_BYTES: usize = 20_000_000;

/// The texts of the tokens that a model sends for a prompt before it ends or fails, so that a test can tell whether
/// any was lost, doubled or altered. None for a model that sends none, for `paced-…`, whose tokens hold the clock, and for `agent…`, whose answer depends on
/// the conversation.
pub fn expected_tokens(model: &str, prompt: &str) -> Vec<String> {
    expected_deltas(model, prompt).into_iter().map(|(_, text)| text).collect()
}

/// As [`expected_tokens`], with the kind of each.
pub fn expected_deltas(model: &str, prompt: &str) -> Vec<(TokenKind, String)> {
    match Behaviour::of(model) {
        Some(Behaviour::Stream(stream)) if !matches!(stream.content, Content::Stamped | Content::Agent) => {
            (0..stream.count).map(|index| delta(&stream, prompt, index)).collect()
        }
        _ => Vec::new(),
    }
}

/// Kind and text of one token of a stream that is not stamped.
pub(super) fn delta(stream: &Stream, prompt: &str, index: u64) -> (TokenKind, String) {
    let words: Vec<&str> = prompt.split_whitespace().take(32).collect();
    let word = words.get(index as usize % words.len().max(1)).copied().unwrap_or("none");
    match stream.content {
        Content::Words => (TokenKind::Text, format!("{word}#{index} ")),
        Content::Multibyte => (TokenKind::Text, format!("ä€🦀{word}#{index} ")),
        Content::WithNul if index == 3 => (TokenKind::Text, format!("nul\0{word} ")),
        Content::WithNul => (TokenKind::Text, format!("{word}#{index} ")),
        Content::Reasoning if index < stream.count / 2 => (TokenKind::Reasoning, format!("{word}#{index} ")),
        Content::Reasoning => (TokenKind::Text, format!("{word}#{index} ")),
        Content::Digits => (TokenKind::Text, (index % 10).to_string()),
        Content::Tools => (TokenKind::ToolCall, tool_text(stream.count, word, index)),
        Content::OtherWords => (TokenKind::Text, format!("other#{index} ")),
        Content::Huge => (TokenKind::Text, "huge ".repeat(HUGE_TOKEN_BYTES / 5)),
        Content::Stamped | Content::Agent => (TokenKind::Text, String::new()),
    }
}

/// Two calls whose pieces alternate: index, id and name in the first of each, arguments in all.
fn tool_text(count: u64, word: &str, index: u64) -> String {
    let call = index % 2;
    let arguments = match index {
        0 | 1 => "{\"q\":\"".to_owned(),
        _ if index + 2 >= count => "\"}".to_owned(),
        _ => format!("{word}{index}").replace(['"', '\\'], ""),
    };
    let arguments = Value::from(arguments);
    if index < 2 {
        format!(
            "{{\"index\":{call},\"id\":\"call_{call}\",\"name\":\"tool_{call}\",\"arguments\":{arguments}}}"
        )
    } else {
        format!("{{\"index\":{call},\"arguments\":{arguments}}}")
    }
}

/// The `delta` object that carries a token. Written by hand, apart from the product's own encoder, so that a mistake
/// in one does not hide in the other.
pub(super) fn delta_body(kind: TokenKind, text: &str) -> Value {
    match kind {
        TokenKind::Text => json!({"content": text}),
        TokenKind::Reasoning => json!({"content": null, "reasoning_content": text}),
        TokenKind::Refusal => json!({"refusal": text}),
        TokenKind::Annotation => json!({"annotations": [text]}),
        TokenKind::ToolCall => {
            let piece: Value = serde_json::from_str(text).unwrap_or_default();
            let mut call = json!({"index": piece["index"], "function": {"arguments": piece["arguments"]}});
            if !piece["id"].is_null() {
                call["id"] = piece["id"].clone();
                call["type"] = "function".into();
                call["function"]["name"] = piece["name"].clone();
            }
            json!({"tool_calls": [call]})
        }
    }
}
