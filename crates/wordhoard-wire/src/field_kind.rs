//! What becomes of a field that the target has nothing like (SPEC FD 12, "another dialect").

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::{Value, json};
use wordhoard_model::{Conversation, Loss};

/// What becomes of a field of a client's request where the provider speaks another dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// It has its effect.
    Honoured,
    /// It has where the provider has the like, else it is left out and listed.
    Hint,
    /// The server does it itself where the provider cannot.
    Emulated,
    /// The request is refused where the provider has nothing like it.
    Refused,
}

/// A row of the table of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// The name of the client's dialect; `any` for fields that servers of several dialects take.
    pub dialect: &'static str,
    /// The field.
    pub field: &'static str,
    /// What becomes of it.
    pub kind: FieldKind,
    /// The same in words, where it is not simply honoured.
    pub note: &'static str,
}

static ROWS: LazyLock<Vec<FieldRow>> = LazyLock::new(|| {
    let lines = include_str!("client_fields.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(row).collect()
});

fn row(line: &'static str) -> Option<FieldRow> {
    let mut columns = line.split('\t');
    Some(FieldRow {
        dialect: columns.next()?,
        field: columns.next()?,
        kind: match columns.next()? {
            "honoured" => FieldKind::Honoured,
            "hint" => FieldKind::Hint,
            "emulated" => FieldKind::Emulated,
            "refused" => FieldKind::Refused,
            _ => return None,
        },
        note: columns.next().unwrap_or_default(),
    })
}

/// All fields that are known.
pub fn rows() -> &'static [FieldRow] {
    &ROWS
}

/// Fields that change what the answer is, and that have no place in a conversation.
static MEANINGFUL: LazyLock<HashSet<&str>> =
    LazyLock::new(|| ROWS.iter().filter(|row| row.kind == FieldKind::Refused).map(|row| row.field).collect());

/// What a request loses with this field; nothing where its value asks for nothing. A field that nobody knows is a hint: a
/// client that relies on it cannot expect it from another dialect's provider.
pub(crate) fn loss_of(name: &str, value: &Value, dialect: &str) -> Option<Loss> {
    if asks_for_nothing(name, value) {
        return None;
    }
    Some(match MEANINGFUL.contains(name) {
        true => Loss::Meaning(format!("has no counterpart in {dialect}")),
        false => Loss::Hint,
    })
}

/// Notes a field that has no place in a conversation.
pub(crate) fn leave(name: &str, value: &Value, dialect: &str, asked: &mut Conversation) {
    match loss_of(name, value, dialect) {
        None => {}
        Some(Loss::Hint) => asked.leave_hint(name),
        Some(Loss::Meaning(problem)) => asked.leave_unplaced(name, problem),
    }
}

/// Whether the value is what holds without the field.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => value.as_f64() == Some(0.0),
        "repetition_penalty" | "length_penalty" | "top_p" | "temperature" => value.as_f64() == Some(1.0),
        "n" | "candidateCount" => *value == json!(1),
        "logprobs" | "store" | "background" | "raw_prompting" => *value == json!(false),
        "parallel_tool_calls" => *value == json!(true),
        "modalities" => *value == json!(["text"]),
        "responseModalities" => *value == json!(["TEXT"]),
        "truncation" => *value == json!("disabled"),
        "stream_options" => true,
        _ => match value {
            Value::Null => true,
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        },
    }
}
