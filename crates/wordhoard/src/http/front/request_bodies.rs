//! The bodies of the drop-in APIs, as the OpenAPI document has them. They are their vendors' own: the table of fields says
//! which are known, and what becomes of each where another provider answers.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wordhoard_model::MAX_LANES;
use wordhoard_wire::{FieldKind, FieldRow, client_fields};

/// A schema with the name of the type, whose fields are those of a dialect.
macro_rules! body_of {
    ($(#[doc = $doc:literal] $body:ident, $dialect:literal, $required:expr, $typed:expr;)+) => {$(
        #[doc = $doc]
        pub(super) enum $body {}

        impl ToSchema for $body {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($body))
            }
        }

        impl PartialSchema for $body {
            fn schema() -> RefOr<Schema> {
                schema($doc.trim_start(), $dialect, &$required, $typed)
            }
        }
    )+};
}

body_of! {
    /// As OpenAI's reference of `POST /v1/chat/completions` has it. In the dialect of the provider every field reaches it as it came.
    ChatBody, "openai", ["messages"], json!({
        "messages": messages(),
        "n": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_LANES},
        "fan_out": {"type": ["boolean", "null"], "description": "Asks several models, named with commas between, for one choice each."},
        "stream": flag(),
        "tools": tools(),
    });
    /// As OpenAI's reference of `POST /v1/responses` has it. In the dialect of the provider every field reaches it as it came.
    ResponsesBody, "openai_responses", [], json!({
        "input": items(),
        "background": flag(),
        "previous_response_id": {"type": ["string", "null"]},
        "store": flag(),
        "stream": flag(),
        "tools": tools(),
    });
    /// As OpenAI's reference of `POST /v1/responses/compact` has it.
    CompactBody, "openai_responses", [], json!({
        "input": items(),
        "background": flag(),
        "previous_response_id": {"type": ["string", "null"]},
        "store": flag(),
        "stream": {"type": ["boolean", "null"], "enum": [false, null], "description": "A compacted conversation comes at once."},
    });
    /// As Anthropic's reference of `POST /v1/messages` has it. In the dialect of the provider every field reaches it as it came.
    MessagesBody, "anthropic", ["messages", "max_tokens"], json!({
        "messages": turns(),
        "max_tokens": {"type": "integer", "minimum": 1},
        "stream": flag(),
        "tools": tools(),
    });
    /// As Anthropic's reference of `POST /v1/messages/count_tokens` has it.
    CountTokensBody, "anthropic", ["messages"], json!({
        "messages": turns(),
    });
    /// As OpenAI's reference of `POST /v1/embeddings` has it.
    EmbeddingsBody, "", ["input"], json!({
        "input": {"oneOf": [{"type": "string"}, {"type": "array"}]},
    });
}

/// An assistant's message of OpenAI's may have calls and no content.
fn messages() -> Value {
    json!({"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["role"],
        "properties": {"role": {"type": "string"}, "content": {"type": ["string", "array", "null"]}},
    }})
}

fn turns() -> Value {
    json!({"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["role", "content"],
        "properties": {"role": {"type": "string"}, "content": {"type": ["string", "array"]}},
    }})
}

fn items() -> Value {
    json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]})
}

fn tools() -> Value {
    json!({"type": ["array", "null"], "items": {"type": "object"}})
}

fn flag() -> Value {
    json!({"type": ["boolean", "null"]})
}

/// The fields of the dialect, those with a type here first; `model` is required, too.
fn schema(description: &str, dialect: &str, required: &[&str], typed: Value) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().description(Some(description)).required("model");
    object = object.property(
        "model",
        read(json!({
            "type": "string", "minLength": 1, "pattern": "^[^,]+$",
            "description": "`provider:model`, an alias, or a name that one provider lists",
        })),
    );
    for (field, mut of_type) in typed.as_object().cloned().unwrap_or_default() {
        if let Some(note) = note_of(dialect, &field)
            && of_type.get("description").is_none()
        {
            of_type["description"] = note.into();
        }
        object = object.property(field, read(of_type));
    }
    for field in required {
        object = object.required(*field);
    }
    for row in client_fields().iter().filter(|row| row.dialect == dialect) {
        if row.field != "model" && typed.get(row.field).is_none() {
            let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(becomes(row)));
            object = object.property(row.field, any);
        }
    }
    object.additional_properties(Some(AdditionalProperties::FreeForm(true))).into()
}

fn note_of(dialect: &str, field: &str) -> Option<String> {
    client_fields().iter().find(|row| row.dialect == dialect && row.field == field).map(becomes)
}

/// What becomes of the field where another provider answers.
fn becomes(row: &FieldRow) -> String {
    let kind = match row.kind {
        FieldKind::Honoured => "Honoured.",
        FieldKind::Hint => "A hint: left out and listed where the provider has none.",
        FieldKind::Emulated => "Carried out here where the provider cannot.",
        FieldKind::Refused => "Refused where the provider cannot honour it.",
    };
    format!("{kind} {}", row.note).trim_end().to_owned()
}

fn read(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema)
        .unwrap_or_else(|_| ObjectBuilder::new().schema_type(SchemaType::AnyValue).into())
}
