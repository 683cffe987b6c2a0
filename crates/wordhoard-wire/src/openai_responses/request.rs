use serde_json::{Map, Value, json};
use wordhoard_model::{Capabilities, Conversation, Message, Part, ResponseFormat, ToolCall};

use super::tools::{tool_choice_value, tool_value};
use crate::logprobs;
use crate::openai_chat::url_of_image;
use crate::{Ask, CannotHonour, Unsupported};

const DIALECT: &str = "OpenAI's responses dialect";
/// What has to be included for log-probabilities: <https://platform.openai.com/docs/api-reference/responses/create>.
const SEALED_REASONING: &str = "reasoning.encrypted_content";
const LOGPROBS_OF_TEXT: &str = "message.output_text.logprobs";
/// Fields that this dialect has under the same names as the chat dialect.
const SAME_FIELDS: [&str; 8] = [
    "user",
    "service_tier",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "verbosity",
    "store",
];

/// The body that asks for an answer. The provider is not to keep it, unless the caller says so.
///
/// # Errors
/// A field that the dialect or the model cannot honour, where such are refused.
pub fn encode_request(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    Ok(Value::Object(fields(ask)?).to_string().into_bytes())
}

/// The body that asks how many tokens a prompt has:
/// <https://platform.openai.com/docs/api-reference/responses/input-tokens>.
///
/// # Errors
/// As [`encode_request`].
pub(crate) fn encode_count(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    let mut fields = fields(ask)?;
    keep_counted(&mut fields);
    Ok(Value::Object(fields).to_string().into_bytes())
}

/// Keeps the fields that count.
pub(crate) fn keep_counted(fields: &mut Map<String, Value>) {
    const COUNTED: [&str; 9] = [
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "truncation",
    ];
    fields.retain(|name, _| COUNTED.contains(&name.as_str()));
}

/// The fields of [`encode_request`].
fn fields(ask: &Ask<'_>) -> Result<Map<String, Value>, CannotHonour> {
    let asked = ask.conversation;
    ask.settle_further(DIALECT, &[&SAME_FIELDS[..], &["logprobs", "top_logprobs"]].concat())?;
    ask.settle_number(DIALECT, "seed", asked.seed)?;
    ask.settle_number(DIALECT, "frequency_penalty", asked.frequency_penalty)?;
    ask.settle_number(DIALECT, "presence_penalty", asked.presence_penalty)?;
    let mut body: Map<String, Value> = asked.further.clone();
    body.retain(|name, _| SAME_FIELDS.contains(&name.as_str()));
    let verbosity = body.remove("verbosity");
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(ask.model.into()));
    set("input", Some(input(ask)?.into()));
    set("instructions", asked.system.as_deref().map(Value::from));
    set("stream", ask.stream.then(|| true.into()));
    set("store", Some(asked.further.get("store").cloned().unwrap_or(false.into())));
    set("max_output_tokens", asked.max_tokens.map(Value::from));
    set("temperature", asked.temperature.map(Value::from));
    set("top_p", asked.top_p.map(Value::from));
    set("reasoning", reasoning(ask));
    let tools = ask.tools()?;
    if !tools.is_empty() {
        set("tools", Some(tools.iter().map(tool_value).collect()));
        set("tool_choice", asked.tool_choice.as_ref().map(tool_choice_value));
        set("parallel_tool_calls", asked.parallel_tool_calls.map(Value::from));
    }
    let likeliest = logprobs::asked_for(&asked.further);
    // What is not kept there has to come with the answer, or a later turn cannot give it back. A model that does not reason
    // refuses to tell it.
    let reasons = ask.capabilities.max_completion_tokens
        || asked.reasoning_effort.as_deref().is_some_and(|effort| effort != "none");
    let included: Vec<&str> = likeliest
        .map(|_| LOGPROBS_OF_TEXT)
        .into_iter()
        .chain((reasons && !tools.is_empty()).then_some(SEALED_REASONING))
        .collect();
    set("include", (!included.is_empty()).then(|| included.into()));
    set("top_logprobs", likeliest.map(Value::from));
    let mut text = Map::new();
    text.extend(ask.response_format()?.map(|format| ("format".to_owned(), response_format(format))));
    text.extend(verbosity.map(|verbosity| ("verbosity".to_owned(), verbosity)));
    set("text", (!text.is_empty()).then(|| text.into()));
    Ok(body)
}

/// The messages of a conversation as items.
///
/// # Errors
/// None: what has no place in this dialect is left out.
pub fn items_of(conversation: &Conversation) -> Result<Vec<Value>, CannotHonour> {
    let capabilities = Capabilities::default();
    input(&Ask::of_nobody(conversation, &capabilities, Unsupported::Drop))
}

/// The fields of a request that its response repeats.
///
/// # Errors
/// What has no place in this dialect.
pub fn fields_of(conversation: &Conversation) -> Result<Map<String, Value>, CannotHonour> {
    let capabilities = Capabilities::default();
    Ok(repeated(fields(&Ask::of_nobody(conversation, &capabilities, Unsupported::Drop))?))
}

/// The same, of a request as its client sent it: what it was asked is not repeated; that the provider need not keep it says
/// nothing about us.
pub fn repeated(mut fields: Map<String, Value>) -> Map<String, Value> {
    const NOT_REPEATED: [&str; 6] = ["model", "input", "store", "include", "stream", "stream_options"];
    fields.retain(|name, value| !NOT_REPEATED.contains(&name.as_str()) && !value.is_null());
    for tool in fields.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if tool["type"] == "function" {
            complete(tool, json!({"description": null, "parameters": null, "strict": false}));
        }
    }
    if let Some(reasoning) = fields.get_mut("reasoning") {
        complete(reasoning, json!({"effort": null, "summary": null}));
    }
    if let Some(text) = fields.get_mut("text") {
        complete(text, json!({"format": {"type": "text"}}));
        if text["format"]["type"] == "json_schema" {
            complete(&mut text["format"], json!({"description": null, "strict": false}));
        }
    }
    fields
}

/// A response has every field of its objects, which a request may leave out:
/// <https://github.com/openresponses/openresponses>, the schemas `FunctionTool`, `Reasoning` and `TextField`.
fn complete(object: &mut Value, defaults: Value) {
    let (Some(object), Value::Object(defaults)) = (object.as_object_mut(), defaults) else { return };
    for (name, default) in defaults {
        object.entry(name).or_insert(default);
    }
}

/// The effort. The reasoning is asked for in short, since there is no other way to see any of it.
fn reasoning(ask: &Ask<'_>) -> Option<Value> {
    Some(match ask.conversation.reasoning_effort.as_deref()? {
        "none" => json!({"effort": "none"}),
        effort => json!({"effort": effort, "summary": "auto"}),
    })
}

fn input(ask: &Ask<'_>) -> Result<Vec<Value>, CannotHonour> {
    let mut items = Vec::new();
    for message in &ask.conversation.messages {
        match message {
            Message::System(parts) => {
                items.push(json!({"type": "message", "role": "developer", "content": content(ask, parts)?}));
            }
            Message::User(parts) => {
                items.push(json!({"type": "message", "role": "user", "content": content(ask, parts)?}));
            }
            Message::Assistant { parts, tool_calls } => {
                let text = Part::text_of(parts);
                items.extend((!text.is_empty()).then(|| said(&text)));
                for call in tool_calls {
                    items.extend(
                        call.seal_of("openai_responses").into_iter().flat_map(|seal| seal.before.clone()),
                    );
                    items.push(function_call(call));
                }
            }
            Message::ToolResult { call_id, parts, is_error, .. } => {
                let parts = &ask.told_as_error(parts, *is_error);
                let has_image = parts.iter().any(|part| matches!(part, Part::Image(_)));
                let output =
                    if has_image { content(ask, parts)?.into() } else { Value::from(Part::text_of(parts)) };
                items.push(json!({"type": "function_call_output", "call_id": call_id, "output": output}));
            }
        }
    }
    items.extend(ask.answer_so_far.map(said));
    Ok(items)
}

fn said(text: &str) -> Value {
    json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
}

fn content(ask: &Ask<'_>, parts: &[Part]) -> Result<Vec<Value>, CannotHonour> {
    let mut encoded = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => encoded.push(json!({"type": "input_text", "text": text})),
            Part::Image(image) => {
                if ask.takes_images()? {
                    encoded.push(json!({"type": "input_image", "image_url": url_of_image(image)}));
                }
            }
        }
    }
    Ok(encoded)
}

fn function_call(call: &ToolCall) -> Value {
    json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments})
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut encoded = json!({"type": "json_schema", "name": name, "schema": schema});
            if let Some(description) = description {
                encoded["description"] = description.as_str().into();
            }
            if let Some(strict) = strict {
                encoded["strict"] = (*strict).into();
            }
            encoded
        }
    }
}
