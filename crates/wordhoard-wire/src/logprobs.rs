//! Log-probabilities of the tokens of an answer, as annotations in the shape of OpenAI's chat dialect:
//! `{"logprobs": {"content": [{"token", "logprob", "bytes", "top_logprobs"}]}}`,
//! <https://platform.openai.com/docs/api-reference/chat/object>, choices.logprobs.

use serde_json::{Map, Value, json};
use wordhoard_model::TokenKind;

use crate::Delta;

/// The field of an annotation that holds them.
pub(crate) const LOGPROBS: &str = "logprobs";

/// How many of the likeliest tokens are asked for beside each one; none where no log-probabilities are.
pub(crate) fn asked_for(further: &Map<String, Value>) -> Option<u64> {
    let is_asked = further.get(LOGPROBS).is_some_and(|value| *value == true);
    is_asked.then(|| further.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0))
}

/// Those of a piece, in the lists of the chat dialect.
pub(crate) fn annotation(lists: Value) -> Delta {
    Delta::new(TokenKind::Annotation, json!({LOGPROBS: lists}).to_string())
}

/// Whether a piece is one of these.
pub(crate) fn is_annotation(piece: &Delta) -> bool {
    piece.kind == TokenKind::Annotation && piece.text.starts_with("{\"logprobs\"")
}

/// Those of the tokens of a piece of text; none where there are none.
pub(crate) fn of_content(content: Vec<Value>) -> Option<Delta> {
    (!content.is_empty()).then(|| annotation(json!({"content": content})))
}
