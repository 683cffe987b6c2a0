use serde_json::{Map, Value, json};
use wordhoard_model::{ResponseFormat, Tool, ToolChoice};

use crate::openai_chat::{messages, tool_value};
use crate::{Ask, CannotHonour};

const DIALECT: &str = "Cohere's dialect";
/// Of how much reasoning each effort is the limit, in tokens; more than the last has none.
const REASONING_TOKENS: [(&str, u32); 3] = [("minimal", 512), ("low", 1_024), ("medium", 4_096)];

/// The body that asks for an answer.
///
/// # Errors
/// A field that the dialect or the model cannot honour, where such are refused.
pub fn encode_request(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    let asked = ask.conversation;
    ask.settle_further(DIALECT, &["top_k"])?;
    ask.settle_number(DIALECT, "parallel_tool_calls", asked.parallel_tool_calls)?;
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(ask.model.into()));
    set("messages", Some(own_messages(ask)?.into()));
    set("stream", Some(ask.stream.into()));
    set("max_tokens", asked.max_tokens.map(Value::from));
    set("temperature", asked.temperature.map(Value::from));
    set("p", asked.top_p.map(Value::from));
    set("k", asked.further.get("top_k").cloned());
    set("seed", asked.seed.map(Value::from));
    set("stop_sequences", (!asked.stop.is_empty()).then(|| asked.stop.clone().into()));
    set("frequency_penalty", penalty(ask, "frequency_penalty", asked.frequency_penalty)?);
    set("presence_penalty", penalty(ask, "presence_penalty", asked.presence_penalty)?);
    set("thinking", asked.reasoning_effort.as_deref().map(|effort| thinking(effort, asked.max_tokens)));
    let mut plain = ask.tools()?.to_vec();
    if !plain.is_empty() {
        set("tool_choice", tool_choice(ask, &mut plain).map(Value::from));
        // <https://docs.cohere.com/docs/structured-outputs>, tools: one switch for all of them.
        let is_strict = plain.iter_mut().filter_map(|tool| tool.strict.take()).any(|strict| strict);
        set("tools", Some(plain.iter().map(tool_value).collect()));
        set("strict_tools", is_strict.then(|| true.into()));
    }
    set("response_format", ask.response_format()?.and_then(response_format));
    Ok(Value::Object(body).to_string().into_bytes())
}

/// Those of the chat dialect, but for what this one has not.
fn own_messages(ask: &Ask<'_>) -> Result<Vec<Value>, CannotHonour> {
    let mut messages = messages(ask)?;
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        message.remove("name");
        message.retain(|_, value| !value.is_null());
    }
    Ok(messages)
}

/// 0 to 1 here.
fn penalty(ask: &Ask<'_>, name: &str, value: Option<f64>) -> Result<Option<Value>, CannotHonour> {
    match value {
        Some(value) if !(0.0..=1.0).contains(&value) => {
            ask.leave_out(name, "must be 0 to 1 in Cohere's dialect")?;
            Ok(Some(value.clamp(0.0, 1.0).into()))
        }
        value => Ok(value.map(Value::from)),
    }
}

/// <https://docs.cohere.com/docs/reasoning>. The answer keeps at least half of its limit.
fn thinking(effort: &str, max_tokens: Option<u32>) -> Value {
    if effort == "none" {
        return json!({"type": "disabled"});
    }
    let budget = REASONING_TOKENS.iter().find(|(name, _)| *name == effort).map(|(_, tokens)| *tokens);
    match (budget, max_tokens) {
        (None, _) => json!({"type": "enabled"}),
        (Some(budget), limit) => {
            json!({"type": "enabled", "token_budget": limit.map_or(budget, |limit| budget.min(limit / 2).max(1))})
        }
    }
}

/// The counterpart of [`thinking`].
pub(super) fn effort(thinking: &Value) -> Option<String> {
    let budget = thinking.get("token_budget").and_then(Value::as_u64);
    let effort = match (thinking.get("type").and_then(Value::as_str)?, budget) {
        ("disabled", _) => "none",
        (_, None) => "high",
        (_, Some(budget)) => {
            let fits = REASONING_TOKENS.iter().find(|(_, tokens)| budget <= u64::from(*tokens));
            fits.map_or("high", |(name, _)| name)
        }
    };
    Some(effort.to_owned())
}

/// No single tool can be named here: where one has to be called, it is the only one that is offered.
fn tool_choice(ask: &Ask<'_>, tools: &mut Vec<Tool>) -> Option<&'static str> {
    match ask.conversation.tool_choice.as_ref()? {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("NONE"),
        ToolChoice::Required => Some("REQUIRED"),
        ToolChoice::Function(name) => {
            ask.list("tool_choice");
            tools.retain(|tool| tool.name == *name);
            Some("REQUIRED")
        }
    }
}

/// <https://docs.cohere.com/docs/structured-outputs>
fn response_format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(json!({"type": "json_object"})),
        ResponseFormat::JsonSchema { schema, .. } => Some(json!({"type": "json_object", "schema": schema})),
    }
}
