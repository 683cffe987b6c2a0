use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, Image, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice};

use crate::instructions::{JSON_INSTRUCTION, instruction_between};
use crate::{Ask, CannotHonour};

const DIALECT: &str = "Anthropic's dialect";
/// Its name in data.
const OWN: &str = "anthropic";
/// An answer needs a limit here. Where neither the caller nor the model's data has one, it is what every model can.
const DEFAULT_MAX_TOKENS: u32 = 4_096;
/// The least that may be given for reasoning: <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>.
const MIN_THINKING_TOKENS: u32 = 1_024;

/// The body that asks for an answer.
///
/// # Errors
/// A field that the dialect or the model cannot honour, where such are refused.
pub fn encode_request(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    Ok(Value::Object(fields(ask)?).to_string().into_bytes())
}

/// The body that asks how many tokens a prompt has: <https://platform.claude.com/docs/en/api/messages/count_tokens>.
///
/// # Errors
/// As [`encode_request`].
pub(crate) fn encode_count(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    const COUNTED: [&str; 7] =
        ["model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"];
    let mut fields = fields(ask)?;
    fields.retain(|name, _| COUNTED.contains(&name.as_str()));
    Ok(Value::Object(fields).to_string().into_bytes())
}

fn fields(ask: &Ask<'_>) -> Result<Map<String, Value>, CannotHonour> {
    let asked = ask.conversation;
    ask.settle_further(DIALECT, &["user", "service_tier", "top_k"])?;
    ask.settle_number(DIALECT, "seed", asked.seed)?;
    ask.settle_number(DIALECT, "frequency_penalty", asked.frequency_penalty)?;
    ask.settle_number(DIALECT, "presence_penalty", asked.presence_penalty)?;
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    let max_tokens = asked.max_tokens.or(ask.capabilities.max_output_tokens).unwrap_or(DEFAULT_MAX_TOKENS);
    let thinking = thinking_tokens(ask, max_tokens);
    set("model", Some(ask.model.into()));
    set("max_tokens", Some(max_tokens.into()));
    set("messages", Some(messages(ask)?.into()));
    set("system", system(ask).map(Value::from));
    set("stream", ask.stream.then(|| true.into()));
    set("temperature", temperature(ask, thinking.is_some())?.map(Value::from));
    set("top_p", asked.top_p.map(Value::from));
    set("top_k", asked.further.get("top_k").cloned());
    set("stop_sequences", (!asked.stop.is_empty()).then(|| asked.stop.clone().into()));
    set("thinking", thinking.map(|tokens| json!({"type": "enabled", "budget_tokens": tokens})));
    let tools = ask.tools()?;
    if !tools.is_empty() {
        set("tools", Some(tools.iter().map(tool).collect()));
        set("tool_choice", tool_choice(ask));
    }
    set("metadata", asked.further.get("user").map(|user| json!({"user_id": user})));
    set("service_tier", service_tier(ask).map(Value::from));
    match ask.response_format()? {
        // The instruction above the conversation asks for it.
        Some(ResponseFormat::JsonObject) => ask.list("response_format"),
        // <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            set("output_config", Some(json!({"format": {"type": "json_schema", "schema": schema}})));
        }
        Some(ResponseFormat::Text) | None => {}
    }
    Ok(body)
}

/// What stands above the conversation, with the request for JSON where the dialect has no field for it.
fn system(ask: &Ask<'_>) -> Option<String> {
    let asked = ask.conversation;
    let json = matches!(asked.response_format, Some(ResponseFormat::JsonObject)).then_some(JSON_INSTRUCTION);
    let parts: Vec<&str> = asked.system.as_deref().into_iter().chain(json).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The tier by its name here; OpenAI's others have no counterpart.
/// <https://platform.claude.com/docs/en/api/messages>, service_tier.
fn service_tier(ask: &Ask<'_>) -> Option<&'static str> {
    match ask.conversation.further.get("service_tier")?.as_str() {
        Some("auto") => Some("auto"),
        Some("default" | "standard_only") => Some("standard_only"),
        _ => {
            ask.list("service_tier");
            None
        }
    }
}

/// How much the model may reason: of the answer's limit a share that grows with the effort, and always less than all of
/// it. The effort is a hint: it gives way to a temperature, to a forced tool, to a limit that leaves no room for it, and to the
/// beginning of an answer, none of which the dialect allows beside it.
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>
fn thinking_tokens(ask: &Ask<'_>, max_tokens: u32) -> Option<u32> {
    let asked = ask.conversation;
    let share = match asked.reasoning_effort.as_deref() {
        None | Some("none") => return None,
        Some("minimal") => 0.1,
        Some("low") => 0.2,
        Some("medium") => 0.5,
        Some(_) => 0.8,
    };
    let forces_tool = matches!(asked.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
    let has_temperature = asked.temperature.is_some_and(|temperature| temperature != 1.0);
    let lacks_reasoning = goes_on_without_reasoning(asked);
    if lacks_reasoning {
        ask.list("messages.reasoning");
    }
    let has_beginning = ask.answer_so_far.is_some();
    if has_beginning || forces_tool || has_temperature || lacks_reasoning || max_tokens <= MIN_THINKING_TOKENS
    {
        ask.list("reasoning_effort");
        return None;
    }
    Some(((f64::from(max_tokens) * share) as u32).clamp(MIN_THINKING_TOKENS, max_tokens - 1))
}

/// Whether the turn that is to go on has called tools, and the reasoning that led to them is not known: with reasoning switched
/// on, such a turn is refused.
fn goes_on_without_reasoning(asked: &Conversation) -> bool {
    let newest_first = asked.messages.iter().rev();
    let mut turn = newest_first.skip_while(|message| matches!(message, Message::ToolResult { .. }));
    match turn.next() {
        Some(Message::Assistant { tool_calls, .. }) => {
            tool_calls.first().is_some_and(|call| call.seal_of(OWN).is_none())
        }
        _ => false,
    }
}

/// 0 to 1 here; with reasoning it is 1, which need not be said.
fn temperature(ask: &Ask<'_>, is_thinking: bool) -> Result<Option<f64>, CannotHonour> {
    let Some(temperature) = ask.conversation.temperature.filter(|_| !is_thinking) else { return Ok(None) };
    if temperature > 1.0 {
        ask.leave_out("temperature", "must be at most 1 in Anthropic's dialect")?;
    }
    Ok(Some(temperature.min(1.0)))
}

/// What was said by one side in several messages is one message here: the sides take turns.
fn messages(ask: &Ask<'_>) -> Result<Vec<Value>, CannotHonour> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut say = |role: &'static str, content: Vec<Value>| match turns.last_mut() {
        Some((last, so_far)) if *last == role => so_far.extend(content),
        _ => turns.push((role, content)),
    };
    for message in &ask.conversation.messages {
        match message {
            Message::System(parts) => {
                ask.list("messages.system");
                say("user", vec![json!({"type": "text", "text": instruction_between(parts)})]);
            }
            Message::User(parts) => say("user", content(ask, parts)?),
            Message::Assistant { parts, tool_calls } => {
                // Reasoning stands before the call that it led to, and before the text of the turn.
                let before =
                    |call: &ToolCall| call.seal_of(OWN).map(|seal| seal.before.clone()).unwrap_or_default();
                let mut blocks = tool_calls.first().map(before).unwrap_or_default();
                blocks.extend(content(ask, parts)?);
                for (place, call) in tool_calls.iter().enumerate() {
                    if place > 0 {
                        blocks.extend(before(call));
                    }
                    blocks.push(tool_use(call));
                }
                say("assistant", blocks);
            }
            Message::ToolResult { call_id, parts, is_error, .. } => {
                let mut result =
                    json!({"type": "tool_result", "tool_use_id": call_id, "content": content(ask, parts)?});
                if *is_error {
                    result["is_error"] = true.into();
                }
                say("user", vec![result]);
            }
        }
    }
    // The last message of the assistant may end in no white space.
    if let Some(so_far) = ask.answer_so_far.map(str::trim_end).filter(|so_far| !so_far.is_empty()) {
        say("assistant", vec![json!({"type": "text", "text": so_far})]);
    }
    let message = |(role, content)| json!({"role": role, "content": content});
    Ok(turns.into_iter().map(message).collect())
}

fn content(ask: &Ask<'_>, parts: &[Part]) -> Result<Vec<Value>, CannotHonour> {
    let mut blocks = Vec::new();
    for part in parts {
        match part {
            // An empty text is refused.
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => blocks.push(json!({"type": "text", "text": text})),
            Part::Image(image) => {
                if ask.takes_images()? {
                    blocks.push(json!({"type": "image", "source": image_source(image)}));
                }
            }
        }
    }
    Ok(blocks)
}

fn image_source(image: &Image) -> Value {
    match image {
        Image::Url(url) => json!({"type": "url", "url": url}),
        Image::Inline { media_type, base64 } => {
            json!({"type": "base64", "media_type": media_type, "data": base64})
        }
    }
}

fn tool_use(call: &ToolCall) -> Value {
    let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
}

fn tool(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut encoded = json!({"name": tool.name, "input_schema": schema});
    if let Some(description) = &tool.description {
        encoded["description"] = description.as_str().into();
    }
    if let Some(strict) = tool.strict {
        encoded["strict"] = strict.into();
    }
    encoded
}

fn tool_choice(ask: &Ask<'_>) -> Option<Value> {
    let one_at_a_time = ask.conversation.parallel_tool_calls == Some(false);
    let mut choice = match &ask.conversation.tool_choice {
        None if !one_at_a_time => return None,
        None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Function(name)) => json!({"type": "tool", "name": name}),
    };
    if let Some(parallel) = ask.conversation.parallel_tool_calls {
        choice["disable_parallel_tool_use"] = (!parallel).into();
    }
    Some(choice)
}
