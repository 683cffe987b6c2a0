//! The items of an answer: what each says, whole.

use serde_json::Value;
use wordhoard_model::TokenKind;

use crate::tool_shape::{LOCAL_SHELL, custom_arguments, flat_name, local_shell_arguments};
use crate::{Delta, ToolCallPiece, logprobs};

/// What a text of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Text,
    Refusal,
    Summary,
    Reasoning,
}

impl Slot {
    pub(super) fn kind(self) -> TokenKind {
        match self {
            Self::Text => TokenKind::Text,
            Self::Refusal => TokenKind::Refusal,
            Self::Summary | Self::Reasoning => TokenKind::Reasoning,
        }
    }

    pub(super) fn of(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Refusal => Self::Refusal,
            TokenKind::Reasoning => Self::Summary,
            TokenKind::Text | TokenKind::ToolCall | TokenKind::Annotation => Self::Text,
        }
    }
}

/// Whether an item is the call of a tool that the client runs.
pub(super) fn is_call(kind: Option<&str>) -> bool {
    matches!(kind, Some("function_call" | "custom_tool_call" | "local_shell_call"))
}

/// The texts of a message or of reasoning, part by part.
pub(super) fn item_texts(item: &Value) -> impl Iterator<Item = (Slot, &str)> {
    let is_message = item["type"] == "message";
    let content = parts(item, "content").filter_map(move |part| match part.get("refusal") {
        Some(refusal) if is_message => Some((Slot::Refusal, refusal.as_str()?)),
        _ if is_message => Some((Slot::Text, part["text"].as_str()?)),
        _ => Some((Slot::Reasoning, part["text"].as_str()?)),
    });
    let summary = parts(item, "summary").filter_map(|part| Some((Slot::Summary, part["text"].as_str()?)));
    summary.chain(content)
}

/// All pieces of an item that is no call of a tool.
pub(super) fn item_deltas(item: &Value, out: &mut Vec<Delta>) {
    match item.get("type").and_then(Value::as_str) {
        Some("message") => parts(item, "content").for_each(|part| part_deltas(part, out)),
        Some("reasoning") => {
            for part in parts(item, "summary").chain(parts(item, "content")) {
                push(out, TokenKind::Reasoning, part.get("text").and_then(Value::as_str));
            }
            sealed_reasoning(item, out);
        }
        // Tools that the provider runs itself, with what they gave.
        Some(_) => push(out, TokenKind::Annotation, Some(&item.to_string())),
        None => {}
    }
}

/// A call of a tool, whole.
pub(super) fn call_piece(item: &Value) -> ToolCallPiece {
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    let arguments = match text("type") {
        Some("custom_tool_call") => text("input").map(custom_arguments),
        Some("local_shell_call") => Some(local_shell_arguments(item.get("action"))),
        _ => match item.get("arguments") {
            Some(Value::String(arguments)) => Some(arguments.clone()),
            Some(object @ Value::Object(_)) => Some(object.to_string()),
            _ => None,
        },
    };
    ToolCallPiece { arguments, ..call_head(item) }
}

/// The id and the name of a call; the id is the one that its result has to name. The name is that of the function that stands for
/// the tool where it is none.
pub(super) fn call_head(item: &Value) -> ToolCallPiece {
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    let name = match text("type") {
        Some("local_shell_call") => Some(LOCAL_SHELL.to_owned()),
        _ => text("name").map(|name| flat_name(text("namespace"), name)),
    };
    let id = text("call_id").or_else(|| text("id")).map(str::to_owned);
    ToolCallPiece { id, name, ..ToolCallPiece::default() }
}

/// What a later turn has to give back so that the model can go on thinking.
pub(super) fn sealed_reasoning(item: &Value, out: &mut Vec<Delta>) {
    if item.get("encrypted_content").is_some_and(Value::is_string) {
        push(out, TokenKind::Annotation, Some(&item.to_string()));
    }
}

pub(super) fn push(out: &mut Vec<Delta>, kind: TokenKind, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        out.push(Delta::new(kind, text));
    }
}

fn part_deltas(part: &Value, out: &mut Vec<Delta>) {
    let text = |field: &str| part.get(field).and_then(Value::as_str);
    push(out, TokenKind::Text, text("text"));
    push(out, TokenKind::Refusal, text("refusal"));
    out.extend(logprobs::of_content(parts(part, "logprobs").cloned().collect()));
    for annotation in parts(part, "annotations") {
        push(out, TokenKind::Annotation, Some(&annotation.to_string()));
    }
}

/// What stands in a list of an item; nothing where there is none.
pub(super) fn parts<'a>(item: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    item.get(field).and_then(Value::as_array).into_iter().flatten()
}
