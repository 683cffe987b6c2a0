//! The fields of a request that say how it shall be answered.

use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, ResponseFormat, Tool, ToolChoice};

use crate::InvalidRequest;

/// Takes the fields into the conversation; what has no place of its own there goes to `further`.
pub(super) fn take(
    fields: Map<String, Value>,
    conversation: &mut Conversation,
) -> Result<(), InvalidRequest> {
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
            "tools" => take_tools(&value, conversation)?,
            "tool_choice" => match value.get("type").and_then(Value::as_str) {
                Some(kind) if kind != "function" => {
                    conversation.leave_unplaced(
                        name,
                        "must be auto, none, required or name a function for this model",
                    );
                }
                _ => conversation.tool_choice = Some(tool_choice(&value)?),
            },
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

/// Takes the functions of a list of tools. Tools of another kind have no place in a conversation.
fn take_tools(value: &Value, conversation: &mut Conversation) -> Result<(), InvalidRequest> {
    let is_function =
        |tool: &Value| tool.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "function");
    let Value::Array(written) = value else {
        return Err(InvalidRequest::field("tools", "must be a list"));
    };
    for (place, _) in written.iter().enumerate().filter(|(_, tool)| !is_function(tool)) {
        conversation.leave_unplaced(format!("tools[{place}]"), "must be of type function for this model");
    }
    let functions = written.iter().filter(|tool| is_function(tool)).cloned().collect();
    conversation.tools = tools(&Value::Array(functions))?;
    Ok(())
}

/// Reads a list of tools.
pub(crate) fn tools(value: &Value) -> Result<Vec<Tool>, InvalidRequest> {
    let Value::Array(tools) = value else {
        return Err(InvalidRequest::field("tools", "must be a list"));
    };
    let one = |(place, tool): (usize, &Value)| {
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
    };
    tools.iter().enumerate().map(one).collect()
}

fn tool_choice(value: &Value) -> Result<ToolChoice, InvalidRequest> {
    let function = || value.pointer("/function/name").and_then(Value::as_str);
    match value.as_str() {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required") => Ok(ToolChoice::Required),
        None if function().is_some() => Ok(ToolChoice::Function(function().unwrap_or_default().to_owned())),
        _ => Err(InvalidRequest::field("tool_choice", "must be auto, none, required or name a function")),
    }
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
