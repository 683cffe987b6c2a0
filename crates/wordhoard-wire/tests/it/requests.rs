use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use wordhoard_model::{
    Capabilities, Conversation, Image, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice,
};
use wordhoard_wire::{Ask, Dialect, Unsupported, openai_chat};

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
            if kept.response_format == Some(ResponseFormat::JsonObject) {
                kept.response_format = None;
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
            let is_strict = kept.tools.iter().any(|tool| tool.strict == Some(true));
            kept.tools.iter_mut().for_each(|tool| tool.strict = is_strict.then_some(true));
            kept.parallel_tool_calls = None;
            kept.tool_choice = match kept.tool_choice {
                Some(ToolChoice::Function(_)) => Some(ToolChoice::Required),
                Some(ToolChoice::Auto) | None => None,
                other => other,
            };
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

fn encode(dialect: Dialect, asked: &Conversation, unsupported: Unsupported) -> Result<Vec<u8>, String> {
    let ask = Ask {
        model: "m",
        conversation: asked,
        answer_so_far: None,
        stream: true,
        capabilities: &Capabilities::default(),
        unsupported,
        left_out: None,
    };
    dialect.encode_request(&ask).map_err(|error| error.to_string())
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
    fn nothing_is_left_out_unasked(dialect in any_dialect(), asked in any_conversation()) {
        // What is refused is named; what is not refused is all there.
        match encode(dialect, &asked, Unsupported::Refuse) {
            Err(problem) => {
                let field = problem.split(' ').next().unwrap();
                let all = format!("{asked:?}");
                prop_assert!(all.contains(field), "{} is none of the fields", field);
            }
            Ok(body) => {
                let read = dialect.decode_request(&body).unwrap().conversation;
                let numbers = |of: &Conversation| {
                    (of.temperature, of.top_p, of.seed, of.frequency_penalty, of.presence_penalty, of.stop.clone())
                };
                prop_assert_eq!(numbers(&read), numbers(&asked));
                prop_assert_eq!(read.response_format.is_some(), asked.response_format.is_some());
                prop_assert_eq!(read.tools.len(), asked.tools.len());
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
    fn a_conversation_is_recorded_as_a_prompt_and_comes_back(asked in any_conversation()) {
        let prompt = openai_chat::prompt_of(&asked).unwrap();
        prop_assert_eq!(openai_chat::conversation_of(&prompt), Ok(asked));
    }
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
            "tools[0] must be of type function: the provider's own tools are not supported",
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

/// What only one dialect can say is no fault: it is noted, and refused by whoever cannot honour it.
#[test]
fn what_has_no_place_in_a_conversation_is_noted_with_its_place() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    for (dialect, body, place) in [
        (
            Dialect::Anthropic,
            json!({"model": "m", "max_tokens": 1, "messages": user(json!([{"type": "video"}]))}),
            "messages[0].content[0].type",
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "hi", "tools": [{"type": "web_search"}]}),
            "tools[0]",
        ),
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "messages": user(json!([{"type": "file", "file": {}}]))}),
            "messages[0].content[0].type",
        ),
    ] {
        let asked = dialect.decode_request(body.to_string().as_bytes()).unwrap().conversation;
        assert_eq!(asked.unplaced[0].field, place);
        let capabilities = Capabilities::default();
        let ask = Ask {
            model: "m",
            conversation: &asked,
            answer_so_far: None,
            stream: true,
            capabilities: &capabilities,
            unsupported: Unsupported::Refuse,
            left_out: None,
        };
        for other in Dialect::ALL {
            assert_eq!(other.encode_request(&ask).unwrap_err().field, place, "{other:?}");
        }
        let sent: Value =
            serde_json::from_slice(&dialect.encode_verbatim(body.as_object().unwrap(), &ask).unwrap())
                .unwrap();
        assert!(body.as_object().unwrap().iter().all(|(name, value)| sent[name] == *value), "{sent}");
    }
}

#[test]
fn what_a_dialect_or_a_model_cannot_honour_is_refused_by_name() {
    let asked = |change: fn(&mut Conversation)| {
        let mut asked = Conversation::of_user("hi");
        change(&mut asked);
        asked
    };
    for (dialect, asked, expected) in [
        (Dialect::Anthropic, asked(|c| c.seed = Some(1)), "seed has no counterpart in Anthropic's dialect"),
        (
            Dialect::Anthropic,
            asked(|c| drop(c.further.insert("logit_bias".into(), json!({})))),
            "logit_bias has no counterpart in Anthropic's dialect",
        ),
        (
            Dialect::Anthropic,
            asked(|c| c.temperature = Some(1.5)),
            "temperature may be at most 1 in Anthropic's dialect",
        ),
        (
            Dialect::OpenAiResponses,
            asked(|c| c.stop = vec!["x".into()]),
            "stop has no counterpart in OpenAI's responses dialect",
        ),
        (
            Dialect::Gemini,
            asked(|c| c.parallel_tool_calls = Some(false)),
            "parallel_tool_calls has no counterpart in Gemini's dialect",
        ),
        (
            Dialect::Cohere,
            asked(|c| c.presence_penalty = Some(-1.0)),
            "presence_penalty must be 0 to 1 in Cohere's dialect",
        ),
    ] {
        assert_eq!(encode(dialect, &asked, Unsupported::Refuse).unwrap_err(), expected);
        assert!(encode(dialect, &asked, Unsupported::Drop).is_ok());
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
        let ask = Ask {
            model: "m",
            conversation: &asked,
            answer_so_far: Some("so far"),
            stream: false,
            capabilities: &Capabilities::default(),
            unsupported: Unsupported::Refuse,
            left_out: None,
        };
        let read = dialect.decode_request(&dialect.encode_request(&ask).unwrap()).unwrap();
        let Some(Message::Assistant { parts, .. }) = read.conversation.messages.last() else {
            panic!("{dialect:?} does not end with the assistant");
        };
        assert_eq!(Part::text_of(parts), "so far");
        assert_ne!(read.stream, Some(true));
    }
}
