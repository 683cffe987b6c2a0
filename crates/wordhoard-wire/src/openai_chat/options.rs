//! The fields of a request that say how it shall be answered.

use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, ResponseFormat, Tool, ToolChoice};

use crate::InvalidRequest;
use crate::tool_shape::custom_as_function;

/// Takes the fields into the conversation; what has no place of its own there goes to `further`.
pub(super) fn take(
    mut fields: Map<String, Value>,
    conversation: &mut Conversation,
) -> Result<(), InvalidRequest> {
    // A choice may leave some of them out.
    if let Some(tools) = fields.remove("tools").filter(|tools| !tools.is_null()) {
        take_tools(&tools, conversation)?;
    }
    take_functions(&mut fields, conversation)?;
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        let wrong = |problem: &str| InvalidRequest::field(name.as_str(), problem);
        let number = || value.as_f64().ok_or_else(|| wrong("must be a number"));
        let count = || {
            let count = value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
            count.ok_or_else(|| wrong("must be a whole number of at least 1"))
        };
        match name.as_str() {
            "tool_choice" => take_tool_choice(&value, conversation)?,
            "parallel_tool_calls" => {
                conversation.parallel_tool_calls =
                    Some(value.as_bool().ok_or_else(|| wrong("must be true or false"))?);
            }
            "response_format" => conversation.response_format = Some(response_format(&value)?),
            "max_tokens" => conversation.max_tokens = Some(conversation.max_tokens.unwrap_or(count()?)),
            "max_completion_tokens" => {
                conversation.max_tokens = Some(count()?);
                // Which of the two names a server knows cannot be told of every model: the caller's is kept.
                conversation.further.insert(name, value);
            }
            "temperature" => conversation.temperature = Some(number()?),
            "top_p" => conversation.top_p = Some(number()?),
            "frequency_penalty" => conversation.frequency_penalty = Some(number()?),
            "presence_penalty" => conversation.presence_penalty = Some(number()?),
            "seed" => {
                conversation.seed = Some(value.as_i64().ok_or_else(|| wrong("must be a whole number"))?);
            }
            "stop" => conversation.stop = stop(&value)?,
            "reasoning_effort" => {
                let effort = value.as_str().ok_or_else(|| wrong("must be a string"))?;
                conversation.reasoning_effort = Some(effort.to_owned());
            }
            _ => {
                conversation.further.insert(name, value);
            }
        }
    }
    Ok(())
}

fn stop(value: &Value) -> Result<Vec<String>, InvalidRequest> {
    let wrong = || InvalidRequest::field("stop", "must be a string or a list of strings");
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(texts) => {
            texts.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

/// Takes the tools. A custom tool becomes a function and is listed; one of another kind only its own provider can run.
fn take_tools(value: &Value, conversation: &mut Conversation) -> Result<(), InvalidRequest> {
    let Value::Array(written) = value else {
        return Err(InvalidRequest::field("tools", "must be a list"));
    };
    for (place, tool) in written.iter().enumerate() {
        match tool.get("type").and_then(Value::as_str) {
            None | Some("function") => conversation.tools.push(function(place, tool)?),
            Some("custom") => {
                let custom = tool.get("custom").unwrap_or(tool);
                let name = custom.get("name").and_then(Value::as_str);
                let wrong = || {
                    InvalidRequest::field(format!("tools[{place}]"), "must have a custom tool with a name")
                };
                let name = name.ok_or_else(wrong)?.to_owned();
                conversation.tools.push(custom_as_function(name, custom));
                conversation.leave_hint(format!("tools[{place}]"));
            }
            Some(_) => conversation.leave_hint(format!("tools[{place}]")),
        }
    }
    Ok(())
}

/// What tools were before they were a list of several kinds: <https://platform.openai.com/docs/api-reference/chat/create>,
/// functions, function_call.
fn take_functions(
    fields: &mut Map<String, Value>,
    conversation: &mut Conversation,
) -> Result<(), InvalidRequest> {
    if let Some(Value::Array(functions)) = fields.remove("functions") {
        let as_tools =
            functions.into_iter().map(|function| json!({"type": "function", "function": function}));
        take_tools(&as_tools.collect(), conversation)?;
    }
    match fields.remove("function_call") {
        Some(choice @ Value::String(_)) => take_tool_choice(&choice, conversation),
        Some(named @ Value::Object(_)) => {
            take_tool_choice(&json!({"type": "function", "function": named}), conversation)
        }
        _ => Ok(()),
    }
}

/// Reads a list of functions.
pub(crate) fn tools(value: &Value) -> Result<Vec<Tool>, InvalidRequest> {
    let Value::Array(tools) = value else {
        return Err(InvalidRequest::field("tools", "must be a list"));
    };
    tools.iter().enumerate().map(|(place, tool)| function(place, tool)).collect()
}

fn function(place: usize, tool: &Value) -> Result<Tool, InvalidRequest> {
    let wrong = |problem| InvalidRequest::field(format!("tools[{place}]"), problem);
    let text = |pointer: &str| tool.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if tool.get("type").and_then(Value::as_str).unwrap_or("function") != "function" {
        return Err(wrong("must be of type function"));
    }
    Ok(Tool {
        name: text("/function/name").ok_or_else(|| wrong("must have a function with a name"))?,
        description: text("/function/description"),
        parameters: tool.pointer("/function/parameters").filter(|schema| !schema.is_null()).cloned(),
        strict: tool.pointer("/function/strict").and_then(Value::as_bool),
    })
}

/// `any` is Mistral's name for `required`: <https://docs.mistral.ai/api/>, chat completions. A list of allowed tools leaves the
/// others out: <https://platform.openai.com/docs/guides/function-calling>, allowed tools.
fn take_tool_choice(value: &Value, conversation: &mut Conversation) -> Result<(), InvalidRequest> {
    let name_of = |choice: &Value| {
        let name = choice.pointer("/function/name").or_else(|| choice.pointer("/custom/name"));
        name.and_then(Value::as_str).map(str::to_owned)
    };
    conversation.tool_choice = Some(match (value.as_str(), name_of(value)) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("required" | "any"), _) => ToolChoice::Required,
        (None, Some(name)) => ToolChoice::Function(name),
        (None, None) if value.get("allowed_tools").is_some() => {
            let names = value.pointer("/allowed_tools/tools").and_then(Value::as_array);
            let names: Vec<String> = names.into_iter().flatten().filter_map(name_of).collect();
            conversation.tools.retain(|tool| names.contains(&tool.name));
            match value.pointer("/allowed_tools/mode").and_then(Value::as_str) {
                Some("required") => ToolChoice::Required,
                _ => ToolChoice::Auto,
            }
        }
        _ => {
            return Err(InvalidRequest::field(
                "tool_choice",
                "must be auto, none, required or name a function",
            ));
        }
    });
    Ok(())
}

fn response_format(value: &Value) -> Result<ResponseFormat, InvalidRequest> {
    let wrong = |problem| InvalidRequest::field("response_format", problem);
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => {
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            Ok(ResponseFormat::JsonSchema {
                name: text("/json_schema/name")
                    .ok_or_else(|| wrong("must have a json_schema with a name"))?,
                description: text("/json_schema/description"),
                schema: value.pointer("/json_schema/schema").cloned().unwrap_or_else(|| json!({})),
                strict: value.pointer("/json_schema/strict").and_then(Value::as_bool),
            })
        }
        _ => Err(wrong("must be of type text, json_object or json_schema")),
    }
}

/// A tool as this dialect has it.
pub(crate) fn tool_value(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name});
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            function[name] = value;
        }
    };
    set("description", tool.description.as_deref().map(Value::from));
    set("parameters", tool.parameters.clone());
    set("strict", tool.strict.map(Value::from));
    json!({"type": "function", "function": function})
}

pub(super) fn tool_choice_value(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

pub(super) fn response_format_value(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut inner = json!({"name": name, "schema": schema});
            if let Some(description) = description {
                inner["description"] = description.as_str().into();
            }
            if let Some(strict) = strict {
                inner["strict"] = (*strict).into();
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}
