use std::collections::BTreeSet;

use serde_json::{Value, json};
use wordhoard_model::{Capabilities, Tool};

use super::*;
use crate::{LeftOut, Unsupported};

/// What a provider of the dialect is sent, and what is listed.
fn sent(
    dialect: Dialect,
    conversation: &Conversation,
    capabilities: &Capabilities,
) -> (Value, BTreeSet<String>) {
    let left_out = LeftOut::default();
    let ask = Ask {
        model: "m",
        conversation,
        answer_so_far: None,
        stream: false,
        capabilities,
        unsupported: Unsupported::Refuse,
        left_out: Some(&left_out),
    };
    let body = dialect.encode_request(&ask).unwrap();
    (serde_json::from_slice(&body).unwrap(), left_out.into_names())
}

fn asked(message: Vec<Message>) -> Conversation {
    Conversation { messages: message, ..Conversation::of_user("hi") }
}

fn turn_with_call(id: &str, name: &str, arguments: &str) -> Conversation {
    let call = ToolCall::new(id, name, arguments);
    asked(vec![
        Message::User(vec![Part::Text("go".into())]),
        Message::Assistant { parts: Vec::new(), tool_calls: vec![call] },
        Message::ToolResult {
            call_id: id.into(),
            name: None,
            parts: vec![Part::Text("done".into())],
            is_error: false,
        },
    ])
}

#[test]
fn ids_of_calls_fit_and_still_meet_their_results() {
    let conversation = turn_with_call("functions.f:0", "f", "");
    let (body, listed) = sent(Dialect::Anthropic, &conversation, &Capabilities::default());
    let (call, result) = (&body["messages"][1]["content"][0], &body["messages"][2]["content"][0]);
    assert_eq!((&call["id"], &call["input"]), (&result["tool_use_id"], &json!({})));
    assert!(call["id"].as_str().unwrap().starts_with("functions_f_0_"), "{call}");
    assert_eq!(listed, BTreeSet::from(["messages.tool_call_id".to_owned()]));
    let (body, listed) = sent(Dialect::OpenAiChat, &conversation, &Capabilities::default());
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "functions.f:0");
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], "{}");
    assert!(listed.is_empty(), "{listed:?}");
}

#[test]
fn long_names_of_tools_are_told_back_as_they_were() {
    let long = "mcp__a_server_with_a_long_name__and_a_tool_with_an_even_longer_name";
    let tool = Tool { name: long.into(), description: None, parameters: None, strict: None };
    let conversation = Conversation { tools: vec![tool], ..turn_with_call("a", long, "{}") };
    for dialect in Dialect::ALL {
        let (body, _) = sent(dialect, &conversation, &Capabilities::default());
        assert!(!body.to_string().contains(long), "{dialect:?}: {body}");
        let renamed = renamed_tools(dialect, &conversation);
        let (short, back) = renamed.iter().next().unwrap();
        assert!(body.to_string().matches(short.as_str()).count() >= 2, "{dialect:?}: {body}");
        assert_eq!((back.as_str(), short.chars().count()), (long, 64));
    }
}

#[test]
fn what_is_blank_is_left_out_where_it_is_refused() {
    let text = |text: &str| vec![Part::Text(text.into())];
    let conversation = asked(vec![
        Message::User(text("go")),
        Message::Assistant { parts: text(" "), tool_calls: Vec::new() },
        Message::User(text("\n")),
        Message::Assistant { parts: text("so far \n"), tool_calls: Vec::new() },
    ]);
    let (body, listed) = sent(Dialect::Anthropic, &conversation, &Capabilities::default());
    assert_eq!(body["messages"].as_array().unwrap().len(), 2, "{body}");
    assert_eq!(body["messages"][1]["content"][0]["text"], "so far");
    assert_eq!(listed, BTreeSet::from(["messages.content".to_owned()]));
    let (body, _) = sent(Dialect::OpenAiChat, &conversation, &Capabilities::default());
    assert_eq!(body["messages"].as_array().unwrap().len(), 4, "{body}");
}

#[test]
fn limits_users_and_sampling_keep_to_the_rules() {
    let mut conversation = Conversation {
        max_tokens: Some(32_000),
        temperature: Some(0.5),
        top_p: Some(1.0),
        stop: (0..7).map(|n| n.to_string()).collect(),
        ..Conversation::of_user("hi")
    };
    conversation.further.insert("user".into(), "u".repeat(200).into());
    let capabilities = Capabilities {
        max_output_tokens: Some(16_384),
        one_of_temperature_and_top_p: true,
        ..Capabilities::default()
    };
    let (body, listed) = sent(Dialect::OpenAiChat, &conversation, &capabilities);
    assert_eq!((&body["max_tokens"], body["stop"].as_array().unwrap().len()), (&16_384.into(), 4));
    assert_eq!(body["user"].as_str().unwrap().len(), 64);
    assert!(["max_tokens", "stop", "user"].iter().all(|name| listed.contains(*name)), "{listed:?}");
    assert_eq!(unsent_stops(Dialect::OpenAiChat, &conversation.stop), ["4", "5", "6"]);
    let (body, _) = sent(Dialect::Anthropic, &conversation, &capabilities);
    assert_eq!((body.get("top_p"), &body["temperature"]), (None, &0.5.into()));
}

#[test]
fn schemas_keep_to_the_rules() {
    let tool =
        |parameters| Tool { name: "f".into(), description: None, parameters: Some(parameters), strict: None };
    let conversation = Conversation {
        tools: vec![
            tool(json!({})),
            tool(json!({"properties": {"q": {"type": "string"}}})),
            tool(json!({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]})),
        ],
        response_format: Some(wordhoard_model::ResponseFormat::JsonSchema {
            name: "n".into(),
            description: None,
            schema: json!({"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 3}}}),
            strict: None,
        }),
        ..Conversation::of_user("hi")
    };
    let (body, _) = sent(Dialect::Anthropic, &conversation, &Capabilities::default());
    let schema = |at: usize| &body["tools"][at]["input_schema"];
    assert!((0..3).all(|at| schema(at)["type"] == "object"), "{body}");
    assert_eq!(schema(1)["properties"], json!({"q": {"type": "string"}}));
    assert_eq!(schema(2)["properties"], json!({"a": {}, "b": {}}));
    assert_eq!(
        body["output_config"]["format"]["schema"],
        json!({"type": "object", "properties": {"minimum": {"type": "integer"}}, "additionalProperties": false})
    );
}

#[test]
fn an_image_of_a_type_that_is_not_taken_is_refused_by_name() {
    let image = Image::Inline { media_type: "image/tiff".into(), base64: "AA==".into() };
    let conversation = asked(vec![Message::User(vec![Part::Image(image)])]);
    let capabilities = Capabilities::default();
    let ask = Ask::of_nobody(&conversation, &capabilities, Unsupported::Refuse);
    for dialect in Dialect::ALL {
        let refused = dialect.encode_request(&ask).unwrap_err();
        assert!(refused.to_string().contains("image/tiff"), "{dialect:?}: {refused}");
    }
}
