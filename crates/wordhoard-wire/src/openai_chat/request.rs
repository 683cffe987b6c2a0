use serde_json::{Map, Value, json};
use wordhoard_model::{Message, Part, Prefill, ToolCall};

use super::client_request::url_of_image;
use super::options;
use crate::{Ask, CannotHonour};

/// The body that asks for an answer.
///
/// Of a stream, usage is always asked for (`stream_options.include_usage`). The conversation's further fields go along
/// verbatim, but cannot replace what is set here.
///
/// # Errors
/// What the model is known not to be able to do. This dialect has a place for every field.
pub fn encode_request(ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
    Ok(Value::Object(fields(ask)?).to_string().into_bytes())
}

/// The fields of [`encode_request`].
pub(super) fn fields(ask: &Ask<'_>) -> Result<Map<String, Value>, CannotHonour> {
    let asked = ask.conversation;
    let mut body: Map<String, Value> = asked.further.clone();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(ask.model.into()));
    set("messages", Some(messages(ask)?.into()));
    if ask.stream {
        set("stream", Some(true.into()));
        set("stream_options", Some(json!({"include_usage": true})));
    }
    let has_new_name = asked.further.contains_key("max_completion_tokens");
    let limit_name = if ask.capabilities.max_completion_tokens || has_new_name {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    set(limit_name, asked.max_tokens.map(Value::from));
    set("temperature", asked.temperature.map(Value::from));
    set("top_p", asked.top_p.map(Value::from));
    set("seed", asked.seed.map(Value::from));
    set("frequency_penalty", asked.frequency_penalty.map(Value::from));
    set("presence_penalty", asked.presence_penalty.map(Value::from));
    set("reasoning_effort", asked.reasoning_effort.as_deref().map(Value::from));
    set("stop", (!asked.stop.is_empty()).then(|| asked.stop.clone().into()));
    let tools = ask.tools()?;
    if !tools.is_empty() {
        set("tools", Some(tools.iter().map(options::tool_value).collect()));
        set("tool_choice", asked.tool_choice.as_ref().map(options::tool_choice_value));
        set("parallel_tool_calls", asked.parallel_tool_calls.map(Value::from));
    }
    set("response_format", ask.response_format()?.map(options::response_format_value));
    if ask.answer_so_far.is_some() && ask.capabilities.prefill == Some(Prefill::ContinueFinalMessage) {
        // vLLM: <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>, extra parameters of chat.
        set("continue_final_message", Some(true.into()));
        set("add_generation_prompt", Some(false.into()));
    }
    Ok(body)
}

/// The messages of the conversation, with the beginning of the answer as the last one.
pub(crate) fn messages(ask: &Ask<'_>) -> Result<Vec<Value>, CannotHonour> {
    let mut messages = Vec::new();
    if let Some(system) = &ask.conversation.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    // Images that tools gave: a result holds text only, so they stand in a message behind the results of the turn.
    let mut images: Vec<Part> = Vec::new();
    for message in &ask.conversation.messages {
        if !matches!(message, Message::ToolResult { .. }) {
            push_images(ask, &mut images, &mut messages)?;
        }
        messages.push(match message {
            Message::System(parts) => json!({"role": "system", "content": content(ask, parts)?}),
            Message::User(parts) => json!({"role": "user", "content": content(ask, parts)?}),
            Message::Assistant { parts, tool_calls } => {
                let mut message = json!({"role": "assistant", "content": content(ask, parts)?});
                if !tool_calls.is_empty() {
                    message["tool_calls"] = tool_calls.iter().map(tool_call).collect();
                    // <https://api-docs.deepseek.com/guides/thinking_mode>: within a turn that calls tools it has to come back.
                    let reasoning = tool_calls.iter().find_map(|call| call.seal_of("openai")?.before.first());
                    if let Some(reasoning) = reasoning {
                        message["reasoning_content"] = reasoning.clone();
                    }
                }
                message
            }
            Message::ToolResult { call_id, name, parts, is_error } => {
                let parts = ask.told_as_error(parts, *is_error);
                images.extend(parts.iter().filter(|part| matches!(part, Part::Image(_))).cloned());
                let text = Part::text_of(&parts);
                let mut message = json!({"role": "tool", "tool_call_id": call_id, "content": text});
                if let Some(name) = name {
                    message["name"] = name.as_str().into();
                }
                message
            }
        });
    }
    push_images(ask, &mut images, &mut messages)?;
    if let Some(so_far) = ask.answer_so_far {
        let mut message = json!({"role": "assistant", "content": so_far});
        if ask.capabilities.prefill == Some(Prefill::Prefix) {
            // DeepSeek: <https://api-docs.deepseek.com/guides/chat_prefix_completion>.
            message["prefix"] = true.into();
        }
        messages.push(message);
    }
    Ok(messages)
}

fn push_images(ask: &Ask<'_>, images: &mut Vec<Part>, messages: &mut Vec<Value>) -> Result<(), CannotHonour> {
    if !images.is_empty() {
        messages.push(json!({"role": "user", "content": content(ask, &std::mem::take(images))?}));
    }
    Ok(())
}

/// One text as a string, all else as a list of parts; null where there is nothing.
fn content(ask: &Ask<'_>, parts: &[Part]) -> Result<Value, CannotHonour> {
    match parts {
        [] => return Ok(Value::Null),
        [Part::Text(text)] => return Ok(text.as_str().into()),
        _ => {}
    }
    let mut encoded = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => encoded.push(json!({"type": "text", "text": text})),
            Part::Image(image) => {
                if ask.takes_images()? {
                    encoded.push(json!({"type": "image_url", "image_url": {"url": url_of_image(image)}}));
                }
            }
        }
    }
    Ok(encoded.into())
}

fn tool_call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    })
}

#[cfg(test)]
mod tests {
    use wordhoard_model::{Capabilities, Parameters, Prompt};

    use super::*;
    use crate::Unsupported;
    use crate::conversation_of;
    use crate::openai_chat::decode_request;

    fn encoded(prompt: &Prompt, so_far: Option<&str>, capabilities: &Capabilities) -> Value {
        let conversation = conversation_of(prompt).unwrap();
        let ask = Ask {
            model: "gpt-4o",
            conversation: &conversation,
            answer_so_far: so_far,
            stream: true,
            capabilities,
            unsupported: Unsupported::Refuse,
            left_out: None,
        };
        let body = encode_request(&ask).unwrap();
        let back = decode_request(&body).unwrap();
        if so_far.is_none() {
            assert_eq!(back.conversation, conversation, "what we send reads back");
        }
        assert!(back.include_usage && back.stream == Some(true) && back.model.as_deref() == Some("gpt-4o"));
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn carries_both_messages_and_every_parameter() {
        let mut parameters =
            Parameters { max_tokens: Some(7), temperature: Some(0.5), ..Parameters::default() };
        parameters.insert("stop", json!(["a", "b"])).unwrap();
        parameters.insert("seed", json!(3)).unwrap();
        parameters.insert("verbosity", json!("low")).unwrap();
        let prompt = Prompt::new("ask \"it\"".into(), Some("be kind".into()), parameters).unwrap();
        assert_eq!(
            encoded(&prompt, None, &Capabilities::default()),
            json!({
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "be kind"},
                    {"role": "user", "content": "ask \"it\""},
                ],
                "stream": true,
                "stream_options": {"include_usage": true},
                "max_tokens": 7,
                "temperature": 0.5,
                "stop": ["a", "b"],
                "seed": 3,
                "verbosity": "low",
            })
        );
    }

    #[test]
    fn an_answer_goes_on_in_the_way_that_the_model_knows() {
        let prompt = Prompt::new("hi".into(), None, Parameters::default()).unwrap();
        let with = |prefill| {
            let capabilities = Capabilities { prefill: Some(prefill), ..Capabilities::default() };
            encoded(&prompt, Some("so"), &capabilities)
        };
        assert_eq!(with(Prefill::Message)["messages"][1], json!({"role": "assistant", "content": "so"}));
        assert_eq!(with(Prefill::Prefix)["messages"][1]["prefix"], true);
        let vllm = with(Prefill::ContinueFinalMessage);
        assert_eq!(
            (&vllm["continue_final_message"], &vllm["add_generation_prompt"]),
            (&true.into(), &false.into())
        );
    }

    #[test]
    fn the_name_of_the_limit_is_the_models_or_the_callers() {
        let mut parameters = Parameters { max_tokens: Some(7), ..Parameters::default() };
        let prompt = Prompt::new("hi".into(), None, parameters.clone()).unwrap();
        let reasoning = Capabilities { max_completion_tokens: true, ..Capabilities::default() };
        let body = encoded(&prompt, None, &Capabilities::default());
        assert_eq!((body.get("max_tokens"), body.get("max_completion_tokens")), (Some(&7.into()), None));
        let conversation = conversation_of(&prompt).unwrap();
        let ask = Ask {
            model: "o3",
            conversation: &conversation,
            answer_so_far: None,
            stream: false,
            capabilities: &reasoning,
            unsupported: Unsupported::Refuse,
            left_out: None,
        };
        let body: Value = serde_json::from_slice(&encode_request(&ask).unwrap()).unwrap();
        assert_eq!((body.get("max_tokens"), body.get("max_completion_tokens")), (None, Some(&7.into())));
        parameters = Parameters::default();
        parameters.insert("max_completion_tokens", json!(9)).unwrap();
        let prompt = Prompt::new("hi".into(), None, parameters).unwrap();
        let body = encoded(&prompt, None, &Capabilities::default());
        assert_eq!((body.get("max_tokens"), body.get("max_completion_tokens")), (None, Some(&9.into())));
    }
}
