use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use wordhoard_model::{
    Capabilities, Conversation, Image, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice,
};
use wordhoard_wire::{
    Ask, CannotHonour, Dialect, LeftOut, Recorded, Unsupported, body_of, client_dialect_of, conversation_of,
};

use crate::answers::any_dialect;

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => "[\\PC\n\"\\\\]{1,20}".prop_map(Part::Text),
        1 => Just(Part::Image(Image::Url("https://example.com/a.png".into()))),
        1 => Just(Part::Image(Image::Inline { media_type: "image/png".into(), base64: "iVBORw0KGgo=".into() })),
    ]
}

fn texts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Part>> {
    vec("[\\PC\n\"]{1,20}".prop_map(Part::Text), count)
}

/// A question, and often an answer with calls and their results behind it.
fn any_turn() -> impl Strategy<Value = Vec<Message>> {
    let call = ("[a-z]{1,8}", "[a-z_]{1,8}", any::<i32>());
    (vec(any_part(), 1..3), option::of((texts(1..2), vec(call, 0..3), texts(1..2)))).prop_map(
        |(question, answered)| {
            let mut turn = vec![Message::User(question)];
            if let Some((parts, calls, result)) = answered {
                let ids = |place: usize, id: &str| format!("{id}-{place}");
                let tool_calls = calls.iter().enumerate().map(|(place, (id, name, x))| ToolCall {
                    id: ids(place, id),
                    name: name.clone(),
                    arguments: json!({"x": x}).to_string(),
                });
                turn.push(Message::Assistant { parts, tool_calls: tool_calls.collect() });
                turn.extend(calls.iter().enumerate().map(|(place, (id, name, _))| Message::ToolResult {
                    call_id: ids(place, id),
                    name: Some(name.clone()),
                    parts: result.clone(),
                }));
            }
            turn
        },
    )
}

fn any_tool() -> impl Strategy<Value = Tool> {
    ("[a-z_]{1,8}", option::of("[a-z ]{1,8}"), option::of(any::<bool>())).prop_map(
        |(name, description, strict)| Tool {
            name,
            description,
            parameters: Some(json!({"type": "object", "properties": {"x": {"type": "integer"}}})),
            strict,
        },
    )
}

fn any_format() -> impl Strategy<Value = ResponseFormat> {
    prop_oneof![
        Just(ResponseFormat::JsonObject),
        (option::of("[a-z ]{1,8}"), option::of(any::<bool>())).prop_map(|(description, strict)| {
            ResponseFormat::JsonSchema {
                name: "answer".into(),
                description,
                schema: json!({"type": "object"}),
                strict,
            }
        }),
    ]
}

fn any_choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Function("f".into())),
    ]
}

fn any_conversation() -> impl Strategy<Value = Conversation> {
    let tenth = || (0..=10_u8).prop_map(|tenths| f64::from(tenths) / 10.0);
    let said = (option::of("[\\PC]{1,20}"), vec(any_turn(), 1..4));
    let tools = (
        vec(any_tool(), 0..3),
        option::of(any_choice()),
        option::of(any::<bool>()),
        option::of(any_format()),
    );
    let numbers = (
        option::of(1..100_000_u32),
        option::of(tenth()),
        option::of(tenth()),
        option::of(any::<i64>()),
        option::of(tenth()),
        option::of(tenth()),
    );
    (said, tools, numbers, vec("[a-z]{1,3}", 0..3)).prop_map(|(said, tools, numbers, stop)| Conversation {
        system: said.0,
        messages: said.1.into_iter().flatten().collect(),
        tool_choice: tools.1.filter(|_| !tools.0.is_empty()),
        parallel_tool_calls: tools.2.filter(|_| !tools.0.is_empty()),
        tools: tools.0,
        response_format: tools.3,
        max_tokens: numbers.0,
        temperature: numbers.1,
        top_p: numbers.2,
        seed: numbers.3,
        frequency_penalty: numbers.4,
        presence_penalty: numbers.5,
        stop,
        ..Conversation::default()
    })
}

/// What a dialect has a place for; the rest is left out where that is wanted.
fn kept(dialect: Dialect, asked: &Conversation) -> Conversation {
    let mut kept = asked.clone();
    if dialect == Dialect::OpenAiChat {
        return kept;
    }
    kept.messages = messages_kept(dialect, &asked.messages);
    if let Some(ResponseFormat::JsonSchema { description, strict, .. }) = &mut kept.response_format
        && dialect != Dialect::OpenAiResponses
    {
        (*description, *strict) = (None, None);
    }
    match dialect {
        Dialect::OpenAiChat => {}
        Dialect::OpenAiResponses => {
            kept.tools.iter_mut().for_each(|tool| tool.strict = Some(tool.strict.unwrap_or(false)));
            (kept.seed, kept.frequency_penalty, kept.presence_penalty) = (None, None, None);
            kept.stop.clear();
            // That the provider shall not keep it is said always.
            kept.further.insert("store".into(), false.into());
        }
        Dialect::Anthropic => {
            kept.max_tokens = Some(kept.max_tokens.unwrap_or(4_096));
            (kept.seed, kept.frequency_penalty, kept.presence_penalty) = (None, None, None);
            if kept.response_format.take_if(|format| *format == ResponseFormat::JsonObject).is_some() {
                let asks = "Answer with one JSON object and nothing else, without a code fence.";
                kept.system = Some(kept.system.map_or(asks.into(), |system| format!("{system}\n\n{asks}")));
            }
            // Both are one field.
            match (&kept.tool_choice, kept.parallel_tool_calls) {
                (None, Some(false)) => kept.tool_choice = Some(ToolChoice::Auto),
                (None | Some(ToolChoice::None), _) => kept.parallel_tool_calls = None,
                _ => {}
            }
        }
        Dialect::Gemini => {
            kept.tools.iter_mut().for_each(|tool| tool.strict = None);
            kept.parallel_tool_calls = None;
        }
        Dialect::Cohere => {
            kept.parallel_tool_calls = None;
            kept.tool_choice = match kept.tool_choice {
                Some(ToolChoice::Function(name)) => {
                    kept.tools.retain(|tool| tool.name == name);
                    Some(ToolChoice::Required)
                }
                Some(ToolChoice::Auto) | None => None,
                other => other,
            };
            // Of the tools that are offered.
            let is_strict = kept.tools.iter().any(|tool| tool.strict == Some(true));
            kept.tools.iter_mut().for_each(|tool| tool.strict = is_strict.then_some(true));
        }
    }
    kept
}

/// The messages as a dialect has them: not all know the names of tools in their results, and those in which the sides
/// take turns join what one side says at once.
fn messages_kept(dialect: Dialect, messages: &[Message]) -> Vec<Message> {
    let joins = matches!(dialect, Dialect::Anthropic | Dialect::Gemini);
    let mut kept: Vec<Message> = Vec::new();
    for message in messages {
        match (message.clone(), kept.last_mut()) {
            (Message::User(parts), Some(Message::User(before))) if joins => before.extend(parts),
            (Message::ToolResult { call_id, name, parts }, _) => {
                let name = name.filter(|_| dialect == Dialect::Gemini);
                kept.push(Message::ToolResult { call_id, name, parts });
            }
            (message, _) => kept.push(message),
        }
    }
    kept
}

static ALL: LazyLock<Capabilities> = LazyLock::new(Capabilities::default);

fn ask(asked: &Conversation, unsupported: Unsupported) -> Ask<'_> {
    Ask {
        model: "m",
        conversation: asked,
        answer_so_far: None,
        stream: true,
        capabilities: &ALL,
        unsupported,
        left_out: None,
    }
}

fn encode(dialect: Dialect, asked: &Conversation, unsupported: Unsupported) -> Result<Vec<u8>, CannotHonour> {
    dialect.encode_request(&ask(asked, unsupported))
}

/// The request of a client in one dialect as a provider of another gets it, and what is listed of it.
fn translated(from: Dialect, to: Dialect, body: &Value) -> Result<(Value, Vec<String>), CannotHonour> {
    let asked = from.decode_request(body.to_string().as_bytes()).unwrap().conversation;
    let listed = LeftOut::default();
    let sent = to.encode_request(&Ask { left_out: Some(&listed), ..ask(&asked, Unsupported::Refuse) })?;
    Ok((serde_json::from_slice(&sent).unwrap(), listed.into_names().into_iter().collect()))
}

proptest! {
    #[test]
    fn what_is_asked_reads_back_but_for_what_the_dialect_has_no_place_for(
        dialect in any_dialect(),
        asked in any_conversation(),
    ) {
        let body = encode(dialect, &asked, Unsupported::Drop).unwrap();
        let read = dialect.decode_request(&body).unwrap();
        prop_assert_eq!(read.conversation, kept(dialect, &asked));
        let in_url = dialect == Dialect::Gemini;
        prop_assert_eq!(read.model.as_deref(), (!in_url).then_some("m"));
        prop_assert_eq!(read.stream, (!in_url).then_some(true));
    }

    #[test]
    fn unhonoured_fields_are_refused_or_listed(dialect in any_dialect(), asked in any_conversation()) {
        let listed = LeftOut::default();
        let ask = Ask { left_out: Some(&listed), ..ask(&asked, Unsupported::Refuse) };
        let encoded = dialect.encode_request(&ask);
        let listed = listed.into_names();
        let is_listed = |name: &str| listed.contains(name);
        match encoded {
            Err(cannot) => {
                let all = format!("{asked:?}");
                prop_assert!(all.contains(&cannot.field), "{} is none of the fields", cannot.field);
            }
            Ok(body) => {
                let read = dialect.decode_request(&body).unwrap().conversation;
                let honoured = |of: &Conversation| (of.temperature, of.top_p);
                prop_assert_eq!(honoured(&read), honoured(&asked));
                prop_assert!(read.seed == asked.seed || is_listed("seed"));
                prop_assert!(read.stop == asked.stop || is_listed("stop"));
                prop_assert!(read.response_format.is_some() == asked.response_format.is_some() || is_listed("response_format"));
                prop_assert!(read.tools.len() == asked.tools.len() || is_listed("tool_choice"));
            }
        }
    }

    #[test]
    fn any_bytes_as_a_request_are_read_without_a_panic(
        dialect in any_dialect(),
        asked in any_conversation(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = encode(dialect, &asked, Unsupported::Drop).unwrap();
        for (place, byte) in damage {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Err(invalid) = dialect.decode_request(&body) {
            prop_assert!(!invalid.problem.is_empty());
        }
    }
}

fn problem(dialect: Dialect, body: &Value) -> String {
    dialect.decode_request(body.to_string().as_bytes()).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn recorded_request_reads_back(dialect in any_dialect(), asked in any_conversation()) {
        let body = encode(dialect, &asked, Unsupported::Drop).unwrap();
        let body: serde_json::Map<String, Value> = serde_json::from_slice(&body).unwrap();
        let read = dialect.read_request(&body).conversation;
        let mut recorded = Recorded::of_client(dialect);
        recorded.dropped_fields.push("seed".into());
        let prompt = recorded.clone().prompt_of(&read, body.clone());
        prop_assert_eq!(Recorded::of(&prompt), Some(recorded));
        prop_assert_eq!((client_dialect_of(&prompt), body_of(&prompt)), (Some(dialect), Some(&body)));
        prop_assert_eq!(conversation_of(&prompt), Ok(read));
    }
}

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

/// A continuation in the client's own dialect keeps all that its request says.
#[test]
fn verbatim_request_continues_after_the_beginning() {
    let body = json!({
        "model": "m", "max_tokens": 10, "stream": true, "top_k": 5, "messages": [{"role": "user", "content": "hi"}],
    });
    let mut asked = Conversation::of_user("hi");
    asked.max_tokens = Some(6);
    let continued = |dialect: Dialect| -> Value {
        let ask = Ask { answer_so_far: Some("so "), ..ask(&asked, Unsupported::Refuse) };
        serde_json::from_slice(&dialect.encode_verbatim(body.as_object().unwrap(), &ask)).unwrap()
    };
    for (dialect, text) in
        [(Dialect::OpenAiChat, "so "), (Dialect::Anthropic, "so"), (Dialect::Cohere, "so ")]
    {
        let sent = continued(dialect);
        assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": text}), "{dialect:?}");
        assert_eq!((&sent["max_tokens"], &sent["top_k"]), (&json!(6), &json!(5)), "{dialect:?}");
    }
}

/// What providers document of single requests, beside what reads back.
#[test]
fn requests_have_the_shape_that_the_providers_document() {
    let mut asked = Conversation::of_user("hi");
    asked.system = Some("be kind".into());
    asked.max_tokens = Some(8_000);
    asked.reasoning_effort = Some("medium".into());
    asked.response_format = Some(ResponseFormat::JsonSchema {
        name: "n".into(),
        description: None,
        schema: json!({"type": "object"}),
        strict: Some(true),
    });
    let body = |dialect| -> Value {
        serde_json::from_slice(&encode(dialect, &asked, Unsupported::Refuse).unwrap()).unwrap()
    };
    let gemini = body(Dialect::Gemini);
    assert_eq!(gemini["systemInstruction"], json!({"parts": [{"text": "be kind"}]}));
    assert_eq!(gemini["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
    assert_eq!(
        gemini["generationConfig"],
        json!({
            "maxOutputTokens": 8000, "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 8192, "includeThoughts": true},
        })
    );
    let responses = body(Dialect::OpenAiResponses);
    assert_eq!(responses["instructions"], "be kind");
    assert_eq!(responses["store"], false, "we keep it, the provider need not");
    assert_eq!(responses["reasoning"], json!({"effort": "medium", "summary": "auto"}));
    assert_eq!(
        responses["text"]["format"],
        json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true})
    );
    let anthropic = body(Dialect::Anthropic);
    assert_eq!(anthropic["system"], "be kind");
    assert_eq!(anthropic["thinking"], json!({"type": "enabled", "budget_tokens": 4000}));
    let cohere = body(Dialect::Cohere);
    assert_eq!(cohere["messages"][0], json!({"role": "system", "content": "be kind"}));
    assert_eq!(cohere["thinking"], json!({"type": "enabled", "token_budget": 4000}));
    assert_eq!(cohere["response_format"], json!({"type": "json_object", "schema": {"type": "object"}}));
}

#[test]
fn an_answer_goes_on_from_its_beginning_in_every_dialect() {
    let asked = Conversation::of_user("hi");
    for dialect in Dialect::ALL {
        let ask = Ask { answer_so_far: Some("so far"), stream: false, ..ask(&asked, Unsupported::Refuse) };
        let read = dialect.decode_request(&dialect.encode_request(&ask).unwrap()).unwrap();
        let Some(Message::Assistant { parts, .. }) = read.conversation.messages.last() else {
            panic!("{dialect:?} does not end with the assistant");
        };
        assert_eq!(Part::text_of(parts), "so far");
        assert_ne!(read.stream, Some(true));
    }
}
