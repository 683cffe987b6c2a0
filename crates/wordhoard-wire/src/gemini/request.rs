use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice};

use super::content::image_part;
use crate::instructions::instruction_between;
use crate::{Ask, CannotHonour, logprobs};

const DIALECT: &str = "Gemini's dialect";
/// Passes where a signature is checked.
const PLACEHOLDER_SIGNATURE: &str = "skip_thought_signature_validator";
/// How many tokens of reasoning each effort is: <https://ai.google.dev/gemini-api/docs/openai>.
pub(super) const REASONING_TOKENS: [(&str, u64); 5] =
    [("none", 0), ("minimal", 1_024), ("low", 1_024), ("medium", 8_192), ("high", 24_576)];

/// The body that asks for an answer.
///
/// # Errors
/// A field that the dialect or the model cannot honour, where such are refused.
pub fn encode_request(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    Ok(Value::Object(fields(ask)?).to_string().into_bytes())
}

/// The body that asks how many tokens a prompt has: bare for Vertex AI,
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens>, and as a request within it for
/// Google's other API, <https://ai.google.dev/api/tokens>.
///
/// # Errors
/// As [`encode_request`].
pub(crate) fn encode_count(ask: &Ask<'_>, is_vertex: bool) -> Result<Vec<u8>, CannotHonour> {
    let mut counted = fields(ask)?;
    counted.retain(|name, _| matches!(name.as_str(), "contents" | "systemInstruction" | "tools"));
    if is_vertex {
        return Ok(Value::Object(counted).to_string().into_bytes());
    }
    counted.insert("model".to_owned(), format!("models/{}", ask.model).into());
    Ok(json!({"generateContentRequest": counted}).to_string().into_bytes())
}

fn fields(ask: &Ask<'_>) -> Result<Map<String, Value>, CannotHonour> {
    let asked = ask.conversation;
    ask.settle_further(DIALECT, &["top_k", "logprobs", "top_logprobs"])?;
    ask.settle_number(DIALECT, "parallel_tool_calls", asked.parallel_tool_calls)?;
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("contents", Some(contents(ask)?.into()));
    set("systemInstruction", asked.system.as_ref().map(|text| json!({"parts": [{"text": text}]})));
    let tools = ask.tools()?;
    if !tools.is_empty() {
        let declarations: Vec<Value> = tools.iter().map(declaration).collect();
        set("tools", Some(json!([{"functionDeclarations": declarations}])));
        set("toolConfig", asked.tool_choice.as_ref().map(tool_config));
    }
    let config = generation_config(ask)?;
    set("generationConfig", (!config.is_empty()).then(|| config.into()));
    Ok(body)
}

fn generation_config(ask: &Ask<'_>) -> Result<Map<String, Value>, CannotHonour> {
    let asked = ask.conversation;
    let mut config = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    set("maxOutputTokens", asked.max_tokens.map(Value::from));
    set("temperature", asked.temperature.map(Value::from));
    set("topP", asked.top_p.map(Value::from));
    set("topK", asked.further.get("top_k").cloned());
    set("stopSequences", (!asked.stop.is_empty()).then(|| asked.stop.clone().into()));
    set("seed", asked.seed.map(Value::from));
    set("frequencyPenalty", asked.frequency_penalty.map(Value::from));
    set("presencePenalty", asked.presence_penalty.map(Value::from));
    set("thinkingConfig", asked.reasoning_effort.as_deref().map(thinking_config));
    // <https://ai.google.dev/api/generate-content>, GenerationConfig.
    if let Some(likeliest) = logprobs::asked_for(&asked.further) {
        set("responseLogprobs", Some(true.into()));
        set("logprobs", (likeliest > 0).then(|| likeliest.into()));
    }
    match ask.response_format()? {
        Some(ResponseFormat::JsonObject) => set("responseMimeType", Some("application/json".into())),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            set("responseMimeType", Some("application/json".into()));
            set("responseJsonSchema", Some(schema.clone()));
        }
        Some(ResponseFormat::Text) | None => {}
    }
    Ok(config)
}

/// Efforts that Google has no number for are its own to choose.
fn thinking_config(effort: &str) -> Value {
    let known = REASONING_TOKENS.iter().find(|(name, _)| *name == effort);
    match known {
        Some((_, 0)) => json!({"thinkingBudget": 0}),
        Some((_, tokens)) => json!({"thinkingBudget": tokens, "includeThoughts": true}),
        None => json!({"thinkingBudget": -1, "includeThoughts": true}),
    }
}

/// What was said by one side in several messages is one content here: the sides take turns.
fn contents(ask: &Ask<'_>) -> Result<Vec<Value>, CannotHonour> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut say = |role: &'static str, parts: Vec<Value>| match turns.last_mut() {
        Some((last, so_far)) if *last == role => so_far.extend(parts),
        _ => turns.push((role, parts)),
    };
    for message in &ask.conversation.messages {
        match message {
            Message::System(parts) => {
                ask.list("messages.system");
                say("user", vec![json!({"text": instruction_between(parts)})]);
            }
            Message::User(parts) => say("user", content_parts(ask, parts)?),
            Message::Assistant { parts, tool_calls } => {
                let mut parts = content_parts(ask, parts)?;
                for (place, call) in tool_calls.iter().enumerate() {
                    parts.push(function_call(ask, call, place == 0));
                }
                say("model", parts);
            }
            Message::ToolResult { call_id, name, parts, is_error } => {
                let name = name.as_deref().or_else(|| name_of_call(ask.conversation, call_id));
                let text = Part::text_of(parts);
                // What a tool gives is an object here; a text stands in the field that Google's own clients use.
                let field = if *is_error { "error" } else { "result" };
                let response = serde_json::from_str(&text)
                    .ok()
                    .filter(|value: &Value| value.is_object() && !is_error)
                    .unwrap_or_else(|| json!({field: text}));
                let result = json!({"id": call_id, "name": name.unwrap_or(call_id), "response": response});
                let images = parts.iter().filter(|part| matches!(part, Part::Image(_))).cloned();
                let images = content_parts(ask, &images.collect::<Vec<_>>())?;
                say("user", std::iter::once(json!({"functionResponse": result})).chain(images).collect());
            }
        }
    }
    if let Some(so_far) = ask.answer_so_far {
        say("model", vec![json!({"text": so_far})]);
    }
    Ok(turns.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect())
}

/// The name of the tool that was called so; the dialect wants it with the result.
fn name_of_call<'a>(conversation: &'a Conversation, call_id: &str) -> Option<&'a str> {
    let newest_first = conversation.messages.iter().rev();
    let mut calls = newest_first.filter_map(|message| match message {
        Message::Assistant { tool_calls, .. } => Some(tool_calls),
        Message::System(_) | Message::User(_) | Message::ToolResult { .. } => None,
    });
    calls.find_map(|calls| calls.iter().find(|call| call.id == call_id)).map(|call| call.name.as_str())
}

fn content_parts(ask: &Ask<'_>, parts: &[Part]) -> Result<Vec<Value>, CannotHonour> {
    let mut encoded = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => encoded.push(json!({"text": text})),
            Part::Image(image) => {
                if ask.takes_images()? {
                    encoded.push(image_part(image));
                }
            }
        }
    }
    Ok(encoded)
}

/// A call, with its signature. The first of a turn has to have one; where it is not known, or another model made the call, the
/// documented placeholder stands for it: <https://ai.google.dev/gemini-api/docs/thought-signatures>, FAQ.
fn function_call(ask: &Ask<'_>, call: &ToolCall, is_first: bool) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": args}});
    let known = call.seal_of("gemini").and_then(|seal| seal.signature.as_deref());
    let checks_them = !["gemini-1", "gemini-2"].iter().any(|older| ask.model.starts_with(older));
    if let Some(signature) = known {
        part["thoughtSignature"] = signature.into();
    } else if is_first && checks_them {
        ask.list("messages.thought_signature");
        part["thoughtSignature"] = PLACEHOLDER_SIGNATURE.into();
    }
    part
}

/// `parametersJsonSchema` takes any JSON schema, `parameters` but a part of one. Google always keeps to the schema.
fn declaration(tool: &Tool) -> Value {
    let mut declaration = json!({"name": tool.name});
    if let Some(description) = &tool.description {
        declaration["description"] = description.as_str().into();
    }
    if let Some(schema) = &tool.parameters {
        declaration["parametersJsonSchema"] = schema.clone();
    }
    declaration
}

fn tool_config(choice: &ToolChoice) -> Value {
    let config = match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Function(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    json!({"functionCallingConfig": config})
}
