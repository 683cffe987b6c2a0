//! What a provider of another dialect gets of a request, and what is refused or listed.

use super::*;

/// A provider of the client's dialect judges what we cannot read; no other is asked.
#[test]
fn unreadable_request_is_for_its_own_dialect_only() {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "robot", "content": "hi"}]});
    let request = Dialect::OpenAiChat.read_request(body.as_object().unwrap());
    assert_eq!((request.model.as_deref(), request.stream), (Some("m"), Some(true)));
    let ask = ask(&request.conversation, Unsupported::Refuse);
    for other in Dialect::ALL {
        assert_eq!(other.encode_request(&ask).unwrap_err().field, "messages[0].role");
    }
    let sent = Dialect::OpenAiChat.encode_verbatim(body.as_object().unwrap(), &ask);
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"], body["messages"]);
}

#[test]
fn a_wrong_field_is_named_with_its_place() {
    let user = json!({"role": "user", "content": "hi"});
    for (dialect, body, expected) in [
        (Dialect::OpenAiChat, json!({"messages": [user]}), "model is missing"),
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "messages": []}),
            "messages must be a list that is not empty",
        ),
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "messages": [user, {"role": "x"}]}),
            "messages[1].role must be system, developer, user, assistant or tool",
        ),
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "messages": [user], "tools": [{"type": "function"}]}),
            "tools[0] must have a function with a name",
        ),
        (Dialect::Anthropic, json!({"model": "m", "messages": [user]}), "max_tokens is missing"),
        (
            Dialect::Anthropic,
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"kind": "video"}]}]}),
            "messages[0].content[0].type is missing",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "hi", "previous_response_id": "r"}),
            "previous_response_id is not supported: send the whole conversation",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "hi", "tools": [{"name": "f"}]}),
            "tools[0] must have a type, such as function",
        ),
        (Dialect::Gemini, json!({"contents": []}), "contents must be a list that is not empty"),
        (
            Dialect::Gemini,
            json!({"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"temperature": "hot"}}),
            "generationConfig.temperature must be a number",
        ),
        (
            Dialect::Cohere,
            json!({"model": "m", "messages": [user], "tool_choice": "MAYBE"}),
            "tool_choice must be REQUIRED or NONE",
        ),
    ] {
        assert_eq!(problem(dialect, &body), expected);
    }
    for dialect in Dialect::ALL {
        assert!(problem(dialect, &json!([])).starts_with("is no JSON object"));
    }
}

/// What only one dialect can say goes to a provider of that dialect as it came, and is refused by name elsewhere.
#[test]
fn content_without_counterpart_is_refused_elsewhere() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    for (dialect, body, place) in [
        (
            Dialect::Anthropic,
            json!({"model": "m", "max_tokens": 1, "messages": user(json!([{"type": "video"}]))}),
            "messages[0].content[0].type",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "hi", "tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}),
            "tool_choice",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": [{"type": "compaction", "encrypted_content": "sealed"}]}),
            "input[0].encrypted_content",
        ),
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "messages": user(json!([{"type": "file", "file": {}}]))}),
            "messages[0].content[0].type",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "hi", "conversation": "conv_1"}),
            "conversation",
        ),
    ] {
        let asked = dialect.decode_request(body.to_string().as_bytes()).unwrap().conversation;
        let ask = ask(&asked, Unsupported::Refuse);
        for other in Dialect::ALL {
            assert_eq!(other.encode_request(&ask).unwrap_err().field, place, "{other:?}");
        }
        let sent: Value =
            serde_json::from_slice(&dialect.encode_verbatim(body.as_object().unwrap(), &ask)).unwrap();
        assert!(body.as_object().unwrap().iter().all(|(name, value)| sent[name] == *value), "{sent}");
    }
}

#[test]
fn fields_that_change_the_answer_are_refused_by_name() {
    let asked = |change: fn(&mut Conversation)| {
        let mut asked = Conversation::of_user("hi");
        change(&mut asked);
        asked
    };
    let refusal =
        |start: &str| format!("{start}; with unsupported = \"drop\" at the provider it is left out");
    for (dialect, asked, expected) in [
        (
            Dialect::Anthropic,
            asked(|c| drop(c.further.insert("logit_bias".into(), json!({"1": 1})))),
            "logit_bias has no counterpart in Anthropic's dialect",
        ),
        (
            Dialect::Anthropic,
            asked(|c| c.temperature = Some(1.5)),
            "temperature must be at most 1 in Anthropic's dialect",
        ),
        (
            Dialect::OpenAiResponses,
            asked(|c| c.frequency_penalty = Some(0.5)),
            "frequency_penalty has no counterpart in OpenAI's responses dialect",
        ),
        (
            Dialect::Cohere,
            asked(|c| c.presence_penalty = Some(-1.0)),
            "presence_penalty must be 0 to 1 in Cohere's dialect",
        ),
    ] {
        assert_eq!(encode(dialect, &asked, Unsupported::Refuse).unwrap_err().to_string(), refusal(expected));
        assert!(encode(dialect, &asked, Unsupported::Drop).is_ok());
    }
}

/// SPEC FD 12: hints never refuse. Each is listed where it is left out, and at its default it is nothing.
#[test]
fn hints_are_left_out_and_listed() {
    let chat = |field: &str, value: Value| json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], field: value});
    let responses = |field: &str, value: Value| json!({"model": "m", "input": "hi", field: value});
    let messages = |field: &str, value: Value| json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], field: value});
    use Dialect::{Anthropic, Cohere, Gemini, OpenAiChat, OpenAiResponses};
    for (from, to, body, listed) in [
        (OpenAiChat, Anthropic, chat("seed", json!(1)), "seed"),
        (OpenAiChat, Anthropic, chat("service_tier", json!("flex")), "service_tier"),
        (OpenAiChat, Gemini, chat("prompt_cache_key", json!("k")), "prompt_cache_key"),
        (OpenAiChat, Gemini, chat("parallel_tool_calls", json!(false)), "parallel_tool_calls"),
        (OpenAiChat, Cohere, chat("metadata", json!({"a": "b"})), "metadata"),
        (OpenAiChat, Anthropic, chat("frequency_penalty", json!(0.0)), ""),
        (OpenAiChat, OpenAiResponses, chat("chat_template_kwargs", json!({"a": 1})), "chat_template_kwargs"),
        (OpenAiChat, OpenAiResponses, chat("logprobs", json!(false)), ""),
        (
            OpenAiResponses,
            OpenAiChat,
            responses("include", json!(["reasoning.encrypted_content"])),
            "include",
        ),
        (OpenAiResponses, OpenAiChat, responses("client_metadata", json!({"a": "b"})), "client_metadata"),
        (OpenAiResponses, Gemini, responses("truncation", json!("auto")), "truncation"),
        (OpenAiResponses, Anthropic, responses("truncation", json!("disabled")), ""),
        (OpenAiResponses, Anthropic, responses("tools", json!([{"type": "web_search"}])), "tools[0]"),
        (Anthropic, OpenAiChat, messages("context_management", json!({"edits": []})), "context_management"),
        (Anthropic, OpenAiChat, messages("mcp_servers", json!([{"name": "x"}])), "mcp_servers"),
        (Anthropic, Gemini, messages("thinking", json!({"type": "adaptive"})), ""),
    ] {
        let (sent, names) = translated(from, to, &body).unwrap_or_else(|cannot| panic!("{body}: {cannot}"));
        let expected: Vec<&str> = Some(listed).filter(|name| !name.is_empty()).into_iter().collect();
        assert_eq!(names, expected, "{from:?} to {to:?}: {body}");
        let name = body.as_object().unwrap().keys().next_back().unwrap();
        assert!(name == "tools" || sent.get(name).is_none(), "{to:?} got {name}: {sent}");
    }
}

/// What coding agents send beside functions and text.
#[test]
fn tools_and_messages_of_agents_are_adapted() {
    let codex = json!({
        "model": "m",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "patch it"}]},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "now briefly"}]},
            {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
            {"type": "local_shell_call", "call_id": "c2", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "call_id": "c2", "output": "a.txt"},
            {"type": "function_call", "call_id": "c3", "namespace": "mcp__fs__", "name": "read", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c3", "output": "text"},
            {"type": "compaction", "encrypted_content": "wordhoard.summary.1:all of it"},
        ],
        "tools": [
            {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "local_shell"},
            {"type": "namespace", "name": "mcp__fs__", "tools": [{"type": "function", "name": "read"}]},
            {"type": "web_search"},
        ],
    });
    for to in Dialect::ALL {
        let (sent, listed) = translated(Dialect::OpenAiResponses, to, &codex).unwrap();
        let text = sent.to_string();
        for part in
            ["rules", "now briefly", "*** Begin", "Done", "a.txt", "mcp__fs__read", "all of it", "start: X"]
        {
            assert!(text.contains(part), "{to:?} lacks {part}: {text}");
        }
        assert!(!text.contains("web_search"), "{to:?}: {text}");
        for place in 0..4 {
            assert!(listed.contains(&format!("tools[{place}]")), "{to:?}: {listed:?}");
        }
    }
    let claude = json!({
        "model": "m", "max_tokens": 9,
        "system": [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "count"},
            {"role": "system", "content": "stop now"},
        ],
        "tools": [
            {"name": "Bash", "input_schema": {"type": "object"}, "defer_loading": true},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "output_config": {"effort": "max"},
    });
    for to in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Gemini, Dialect::Cohere] {
        let (sent, listed) = translated(Dialect::Anthropic, to, &claude).unwrap();
        assert!(sent.to_string().contains("stop now"), "{to:?}: {sent}");
        for name in ["cache_control", "tools.defer_loading", "tools[1]"] {
            assert!(listed.iter().any(|listed| listed == name), "{to:?} lists not {name}: {listed:?}");
        }
    }
    let (sent, _) = translated(Dialect::Anthropic, Dialect::OpenAiChat, &claude).unwrap();
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(json!([roles, sent["reasoning_effort"]]), json!([["system", "user", "system"], "high"]));
}

/// Codex offers its tools as items of the conversation, some of them again.
#[test]
fn tools_that_stand_in_the_conversation_are_offered() {
    let exec = |description: &str| json!({"type": "custom", "name": "exec", "description": description});
    let mut codex = json!({
        "model": "m",
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [
                {"type": "namespace", "name": "functions", "tools": [exec("first"), {"type": "function", "name": "wait"}]},
                {"type": "namespace", "name": "clock", "tools": [{"type": "function", "name": "sleep"}]},
            ]},
            {"type": "message", "role": "user", "content": "go"},
            {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "input": "text(1)"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "one"}]},
            {"type": "agent_message", "author": "/root/a", "content": [{"type": "input_text", "text": "a is done"}]},
            {"type": "additional_tools", "tools": [{"type": "namespace", "name": "functions", "tools": [exec("second")]}]},
        ],
        "tools": [],
    });
    for to in Dialect::ALL {
        let (sent, listed) = translated(Dialect::OpenAiResponses, to, &codex).unwrap();
        let text = sent.to_string();
        for part in ["exec", "wait", "clock__sleep", "second", "one", "a is done"] {
            assert!(text.contains(part), "{to:?} lacks {part}: {text}");
        }
        assert!(!text.contains("functions__") && !text.contains("first"), "{to:?}: {text}");
        assert!(listed.contains(&"input[0].tools[0]".to_owned()), "{to:?}: {listed:?}");
    }
    codex["tool_choice"] = json!({"type": "function", "namespace": "clock", "name": "sleep"});
    let (sent, _) = translated(Dialect::OpenAiResponses, Dialect::OpenAiChat, &codex).unwrap();
    assert_eq!(sent["tool_choice"]["function"]["name"], "clock__sleep");
}
