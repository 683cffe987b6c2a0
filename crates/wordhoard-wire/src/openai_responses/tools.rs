//! The tools that a client offers, and which of them it wants called.

use serde_json::{Value, json};
use wordhoard_model::{Conversation, Tool, ToolChoice};

use crate::InvalidRequest;
use crate::fields::{Fields, list};
use crate::tool_shape::{LOCAL_SHELL, custom_as_function, flat_name, local_shell_as_function};

/// Takes the tools that are offered beside the input.
pub(super) fn take_tools(fields: &mut Fields, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let tools = list(fields, "tools")?.unwrap_or_default();
    add_tools(&tools, "tools", None, asked)
}

/// Functions are taken as they are. Another client's tool becomes a function and is listed; what only the provider can run
/// is listed and left out.
fn add_tools(
    tools: &[Value],
    at: &str,
    namespace: Option<&str>,
    asked: &mut Conversation,
) -> Result<(), InvalidRequest> {
    for (place, written) in tools.iter().enumerate() {
        let at = format!("{at}[{place}]");
        let name = || {
            let name = written.get("name").and_then(Value::as_str);
            name.ok_or_else(|| InvalidRequest::field(at.clone(), "must have a name"))
        };
        match written.get("type").and_then(Value::as_str) {
            Some("function") => {
                let name = flat_name(namespace, name()?);
                asked.tools.push(function(name, written));
            }
            Some("custom") => {
                asked.tools.push(custom_as_function(flat_name(namespace, name()?), written));
                asked.leave_hint(at);
            }
            Some("local_shell") => {
                asked.tools.push(local_shell_as_function());
                asked.leave_hint(at);
            }
            Some("namespace") => {
                let tools = written.get("tools").and_then(Value::as_array).map(Vec::as_slice);
                add_tools(tools.unwrap_or_default(), &format!("{at}.tools"), Some(name()?), asked)?;
                asked.leave_hint(at);
            }
            Some(_) => asked.leave_hint(at),
            None => return Err(InvalidRequest::field(at, "must have a type, such as function")),
        }
    }
    Ok(())
}

/// Takes the tools that an item of the input offers. One that is offered again takes the place of the earlier one.
pub(super) fn take_additional(
    item: &Value,
    at: &str,
    asked: &mut Conversation,
) -> Result<(), InvalidRequest> {
    let before = std::mem::take(&mut asked.tools);
    let tools = item.get("tools").and_then(Value::as_array).map(Vec::as_slice);
    add_tools(tools.unwrap_or_default(), &format!("{at}.tools"), None, asked)?;
    let added = std::mem::replace(&mut asked.tools, before);
    for tool in added {
        match asked.tools.iter_mut().find(|known| known.name == tool.name) {
            Some(known) => *known = tool,
            None => asked.tools.push(tool),
        }
    }
    Ok(())
}

fn function(name: String, written: &Value) -> Tool {
    Tool {
        name,
        description: written.get("description").and_then(Value::as_str).map(str::to_owned),
        parameters: written.get("parameters").filter(|schema| !schema.is_null()).cloned(),
        strict: written.get("strict").and_then(Value::as_bool),
    }
}

/// Takes the choice among all tools that are offered.
pub(super) fn take_choice(choice: Option<Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let Some(choice) = choice.as_ref().filter(|choice| !choice.is_null()) else { return Ok(()) };
    let kind = choice.get("type").and_then(Value::as_str);
    asked.tool_choice = Some(match (choice.as_str(), kind) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("required"), _) => ToolChoice::Required,
        (None, Some("allowed_tools")) => return take_allowed(choice, asked),
        (None, Some("local_shell")) => ToolChoice::Function(LOCAL_SHELL.to_owned()),
        (None, Some("function" | "custom")) if name_of(choice).is_some() => {
            ToolChoice::Function(name_of(choice).unwrap_or_default())
        }
        (None, Some("function" | "custom") | None) | (Some(_), _) => {
            let problem = "must be auto, none, required or name a function";
            return Err(InvalidRequest::field("tool_choice", problem));
        }
        (None, Some(_)) => {
            asked.leave_unplaced("tool_choice", "names a tool that only its own provider can run");
            return Ok(());
        }
    });
    Ok(())
}

/// The function that stands for the tool that is named.
fn name_of(choice: &Value) -> Option<String> {
    let name = choice.get("name")?.as_str()?;
    Some(flat_name(choice.get("namespace").and_then(Value::as_str), name))
}

/// Only some of the tools may be called: the others are not offered.
/// <https://platform.openai.com/docs/api-reference/responses/create>, tool_choice, allowed tools.
fn take_allowed(choice: &Value, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let allowed = choice.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = allowed.iter().filter_map(name_of).collect();
    asked.tools.retain(|tool| names.contains(&tool.name));
    asked.tool_choice = Some(match choice.get("mode").and_then(Value::as_str) {
        Some("required") => ToolChoice::Required,
        None | Some("auto") => ToolChoice::Auto,
        Some(_) => return Err(InvalidRequest::field("tool_choice.mode", "must be auto or required")),
    });
    Ok(())
}

/// A tool for a provider of this dialect. It is strict here where nothing is said, and in the chat dialect is not.
pub(super) fn tool_value(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut encoded = json!({
        "type": "function", "name": tool.name, "parameters": schema, "strict": tool.strict.unwrap_or(false),
    });
    if let Some(description) = &tool.description {
        encoded["description"] = description.as_str().into();
    }
    encoded
}

/// The choice for a provider of this dialect.
pub(super) fn tool_choice_value(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "name": name}),
    }
}
