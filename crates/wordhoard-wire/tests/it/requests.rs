//! Requests of clients, and what providers get of them.

mod shapes;
mod translation;

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
        // A text of white space alone is not taken everywhere.
        4 => "[a-z][\\PC\n\"\\\\]{0,20}".prop_map(Part::Text),
        1 => Just(Part::Image(Image::Url("https://example.com/a.png".into()))),
        1 => Just(Part::Image(Image::Inline { media_type: "image/png".into(), base64: "iVBORw0KGgo=".into() })),
    ]
}

fn texts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Part>> {
    vec("[\\PC\n\"]{0,20}[a-z]".prop_map(Part::Text), count)
}

/// A question, and often an answer with calls and their results behind it.
fn any_turn() -> impl Strategy<Value = Vec<Message>> {
    let call = ("[a-z]{1,8}", "[a-z_]{1,8}", any::<i32>());
    (vec(any_part(), 1..3), option::of((texts(1..2), vec(call, 0..3), texts(1..2)))).prop_map(
        |(question, answered)| {
            let mut turn = vec![Message::User(question)];
            if let Some((parts, calls, result)) = answered {
                let ids = |place: usize, id: &str| format!("{id}-{place}");
                let tool_calls = calls.iter().enumerate().map(|(place, (id, name, x))| {
                    ToolCall::new(ids(place, id), name.clone(), json!({"x": x}).to_string())
                });
                turn.push(Message::Assistant { parts, tool_calls: tool_calls.collect() });
                turn.extend(calls.iter().enumerate().map(|(place, (id, name, _))| Message::ToolResult {
                    call_id: ids(place, id),
                    name: Some(name.clone()),
                    parts: result.clone(),
                    is_error: false,
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
            // It is as without the field, and the dialect's field ends below it.
            kept.top_p = kept.top_p.filter(|top_p| *top_p < 1.0);
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
            (Message::ToolResult { call_id, name, parts, is_error }, _) => {
                let name = name.filter(|_| dialect == Dialect::Gemini);
                kept.push(Message::ToolResult { call_id, name, parts, is_error });
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
                let honoured = |of: &Conversation| (of.temperature, of.top_p.filter(|top_p| *top_p < 1.0));
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
