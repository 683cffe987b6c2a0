//! The tools that a client offers, and which of them it wants called.

use serde_json::Value;
use wordhoard_model::{Conversation, Tool, ToolChoice};

use super::client_messages::note_cache_mark;
use crate::InvalidRequest;
use crate::fields::{Fields, list};

pub(super) fn take_tools(fields: &mut Fields, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let tools = list(fields, "tools")?.unwrap_or_default();
    let mut of_provider = Vec::new();
    for (place, written) in tools.iter().enumerate() {
        note_cache_mark(written, asked);
        // The provider's own tools have a type of their own.
        if written.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "custom") {
            asked.tools.push(tool(place, written)?);
            for mark in ["defer_loading", "eager_input_streaming", "input_examples", "allowed_callers"] {
                if written.get(mark).is_some_and(|value| !value.is_null() && *value != false) {
                    asked.leave_hint(format!("tools.{mark}"));
                }
            }
        } else {
            of_provider.extend(written.get("name").and_then(Value::as_str));
            asked.leave_hint(format!("tools[{place}]"));
        }
    }
    take_tool_choice(fields.remove("tool_choice"), asked)?;
    if matches!(&asked.tool_choice, Some(ToolChoice::Function(name)) if of_provider.contains(&name.as_str()))
    {
        asked.tool_choice = None;
        asked.leave_unplaced("tool_choice", "names a tool that only its own provider can run");
    }
    Ok(())
}

fn tool(place: usize, written: &Value) -> Result<Tool, InvalidRequest> {
    let text = |field: &str| written.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").filter(|_| written.get("input_schema").is_some());
    Ok(Tool {
        name: name.ok_or_else(|| {
            InvalidRequest::field(format!("tools[{place}]"), "must have a name and an input_schema")
        })?,
        description: text("description"),
        parameters: written.get("input_schema").cloned(),
        strict: written.get("strict").and_then(Value::as_bool),
    })
}

fn take_tool_choice(written: Option<Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let Some(choice) = written.filter(|choice| !choice.is_null()) else { return Ok(()) };
    let name = || choice.get("name").and_then(Value::as_str).map(str::to_owned);
    asked.tool_choice = Some(match (choice.get("type").and_then(Value::as_str), name()) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("any"), _) => ToolChoice::Required,
        (Some("tool"), Some(name)) => ToolChoice::Function(name),
        _ => {
            return Err(InvalidRequest::field(
                "tool_choice",
                "must be of type auto, any, tool (with a name) or none",
            ));
        }
    });
    let alone = choice.get("disable_parallel_tool_use").and_then(Value::as_bool);
    asked.parallel_tool_calls = alone.map(|alone| !alone);
    Ok(())
}
