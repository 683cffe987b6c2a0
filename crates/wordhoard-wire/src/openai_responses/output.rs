//! The items of an answer: what each says, whole.

use serde_json::Value;
use wordhoard_model::TokenKind;

use crate::tool_shape::{LOCAL_SHELL, custom_arguments, flat_name, local_shell_arguments};
use crate::{Delta, ToolCallPiece, logprobs};

/// All pieces of an item. `calls` counts the calls of tools before it.
pub(super) fn item_deltas(item: &Value, calls: &mut u64, out: &mut Vec<Delta>) {
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    match text("type") {
        Some("message") => parts(item, "content").for_each(|part| part_deltas(part, out)),
        Some("reasoning") => {
            for part in parts(item, "summary").chain(parts(item, "content")) {
                push(out, TokenKind::Reasoning, part.get("text").and_then(Value::as_str));
            }
            sealed_reasoning(item, out);
        }
        Some(kind @ ("function_call" | "custom_tool_call" | "local_shell_call")) => {
            let arguments = match kind {
                "custom_tool_call" => text("input").map(custom_arguments),
                "local_shell_call" => Some(local_shell_arguments(item.get("action"))),
                _ => text("arguments").map(str::to_owned),
            };
            let piece = ToolCallPiece { index: *calls, arguments, ..call_head(item) };
            *calls += 1;
            push(out, TokenKind::ToolCall, piece.to_text().as_deref());
        }
        // Tools that the provider runs itself, with what they gave.
        Some(_) => push(out, TokenKind::Annotation, Some(&item.to_string())),
        None => {}
    }
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
