//! The parts of an answer that we write, and of a conversation that we ask with.

use serde_json::{Map, Value, json};
use wordhoard_model::{Image, TokenKind};

use super::CALL_ID_PREFIX;
use crate::whole::{self, Block};
use crate::{AnswerHead, Delta, ToolCallPiece};

/// An event of a stream, or an answer, with these parts.
pub(super) fn response_value(head: &AnswerHead, parts: &[Value]) -> Value {
    json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": head.model,
        "responseId": head.id,
    })
}

/// What of a piece goes where: a part of the content, or a field beside it.
pub(super) enum Place {
    Part(Value),
    Beside(Map<String, Value>),
    Nowhere,
}

/// Where an annotation goes: one of this dialect names itself by its only field.
pub(super) fn place_of(said: &Value) -> Place {
    let Some(fields) = said.as_object() else { return Place::Nowhere };
    let has = |name: &str| fields.contains_key(name);
    if has("groundingMetadata") || has("citationMetadata") {
        Place::Beside(fields.clone())
    } else if has("thoughtSignature") && fields.len() == 1 {
        // A part needs something beside it.
        let mut part = fields.clone();
        part.insert("text".to_owned(), "".into());
        Place::Part(part.into())
    } else if ["executableCode", "codeExecutionResult", "inlineData", "fileData"].into_iter().any(has) {
        Place::Part(said.clone())
    } else {
        Place::Nowhere
    }
}

/// The part for a piece of text, reasoning or a refusal.
pub(super) fn text_part(kind: TokenKind, text: &str) -> Value {
    match kind {
        TokenKind::Reasoning => json!({"text": text, "thought": true}),
        _ => json!({"text": text}),
    }
}

/// A call of a tool, whole.
pub(super) fn call_part(call: &ToolCallPiece) -> Value {
    let mut function = json!({"name": call.name.clone().unwrap_or_default(), "args": call.input()});
    if let Some(id) = &call.id {
        function["id"] = id.as_str().into();
    }
    json!({"functionCall": function})
}

/// All parts of an answer, and what stands beside them.
pub(super) fn answer_parts(head: &AnswerHead, deltas: &[Delta]) -> (Vec<Value>, Map<String, Value>) {
    let (mut parts, mut beside) = (Vec::new(), Map::new());
    for block in whole::blocks(CALL_ID_PREFIX, &head.id, deltas) {
        match block {
            Block::Text(text) | Block::Refusal(text) => parts.push(text_part(TokenKind::Text, &text)),
            Block::Reasoning(text) => parts.push(text_part(TokenKind::Reasoning, &text)),
            Block::ToolCall(call) => parts.push(call_part(&call)),
            Block::Annotation(said) => match place_of(&said) {
                Place::Part(part) => parts.push(part),
                Place::Beside(fields) => beside.extend(fields),
                Place::Nowhere => {}
            },
        }
    }
    (parts, beside)
}

/// An image. Of one at a URL the type is guessed by its name, for the dialect wants one.
pub(super) fn image_part(image: &Image) -> Value {
    match image {
        Image::Inline { media_type, base64 } => {
            json!({"inlineData": {"mimeType": media_type, "data": base64}})
        }
        Image::Url(url) => {
            let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            let known = [
                (".png", "image/png"),
                (".webp", "image/webp"),
                (".gif", "image/gif"),
                (".heic", "image/heic"),
                (".heif", "image/heif"),
            ];
            let media_type =
                known.iter().find(|(end, _)| path.ends_with(end)).map_or("image/jpeg", |known| known.1);
            json!({"fileData": {"mimeType": media_type, "fileUri": url}})
        }
    }
}
