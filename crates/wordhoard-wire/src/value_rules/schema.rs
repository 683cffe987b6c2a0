//! JSON schemas that keep to a provider's rules.

use serde_json::{Map, Value, json};

/// A schema's ways to be one of several.
const CHOICES: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// What Anthropic's structured outputs do not know:
/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, JSON Schema limitations.
const BOUNDS: [&str; 12] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// The schema of a tool's arguments, which is one of an object; none where it fits as it is.
pub(super) fn of_tool(written: &Value, takes_choices: bool) -> Option<Value> {
    let mut fields = match written {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    if !takes_choices {
        for choice in CHOICES {
            take_choice_apart(choice, &mut fields);
        }
    }
    if fields.get("type").and_then(Value::as_str) != Some("object") {
        fields.insert("type".to_owned(), "object".into());
    }
    if !fields.get("properties").is_some_and(Value::is_object) && !fields.contains_key("$ref") {
        fields.insert("properties".to_owned(), json!({}));
    }
    let fitted = Value::Object(fields);
    (fitted != *written && (written.get("type") != fitted.get("type") || has_choice(written, takes_choices)))
        .then_some(fitted)
}

fn has_choice(written: &Value, takes_choices: bool) -> bool {
    !takes_choices && CHOICES.iter().any(|choice| written.get(choice).is_some())
}

/// The properties of all ways stand beside each other; which of them belong together the description of the tool says.
fn take_choice_apart(choice: &str, fields: &mut Map<String, Value>) {
    let Some(Value::Array(ways)) = fields.remove(choice) else { return };
    let mut properties = match fields.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    for way in ways {
        let Some(Value::Object(of_way)) = way.get("properties") else { continue };
        for (name, schema) in of_way {
            properties.entry(name.clone()).or_insert_with(|| schema.clone());
        }
    }
    fields.insert("properties".to_owned(), properties.into());
}

/// The schema of an answer with every object closed and without bounds; none where it is so already.
pub(super) fn closed(written: &Value) -> Option<Value> {
    let mut schema = written.clone();
    close(&mut schema);
    (schema != *written).then_some(schema)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_schema = fields.contains_key("type") || fields.contains_key("properties");
            if is_schema {
                BOUNDS.iter().for_each(|bound| drop(fields.remove(*bound)));
                // Of list lengths, only 0 and 1 are known.
                if fields.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 1) {
                    fields.insert("minItems".to_owned(), 1.into());
                }
            }
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            for (name, inner) in fields.iter_mut() {
                match (name.as_str(), inner) {
                    // Names of properties are no keywords.
                    ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                        named.values_mut().for_each(close);
                    }
                    ("enum" | "const" | "default" | "examples", _) => {}
                    (_, inner) => close(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
