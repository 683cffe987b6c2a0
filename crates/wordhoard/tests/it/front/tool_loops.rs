//! A task of three turns with reasoning and two calls at once in each of the first two, by every client dialect over every
//! provider dialect. The provider gets back what its model needs to go on from its own reasoning, also of calls that were made
//! before the server was killed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::DIALECTS;
use crate::{EXE, ONE_CALL};

const CLIENTS: [&str; 3] = ["openai", "openai_responses", "anthropic"];

/// What the provider was sent, call by call.
type Sent = Arc<Mutex<Vec<Value>>>;

/// A provider that answers the first two calls with two calls of tools each, and the third with text.
#[allow(clippy::disallowed_methods, reason = "it ends with its test")]
async fn provider(dialect: &'static str) -> (SocketAddr, Sent) {
    let sent: Sent = Arc::default();
    let answer = async move |State(sent): State<Sent>, body: Bytes| {
        let mut sent = sent.lock().unwrap();
        let turn = sent.len();
        sent.push(serde_json::from_slice(&body).unwrap());
        ([(CONTENT_TYPE, "text/event-stream")], stream(dialect, turn)).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&sent));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, sent)
}

fn id(turn: usize, call: usize) -> String {
    format!("call_{turn}_{call}")
}

fn stream(dialect: &str, turn: usize) -> String {
    let events = match (dialect, turn) {
        ("openai", 0 | 1) => chat_calls(turn),
        ("openai", _) => {
            vec![json!({"choices": [{"index": 0, "delta": {"content": "Done."}, "finish_reason": "stop"}]})]
        }
        ("openai_responses", 0 | 1) => response(
            turn,
            vec![
                json!({"id": format!("rs_{turn}"), "type": "reasoning", "encrypted_content": format!("enc-{turn}"),
                   "summary": [{"type": "summary_text", "text": format!("why {turn}")}]}),
                function_call(turn, 0),
                function_call(turn, 1),
            ],
        ),
        ("openai_responses", _) => response(
            turn,
            vec![json!({
                "id": "msg_1", "type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "Done.", "annotations": []}],
            })],
        ),
        ("anthropic", _) => message(turn),
        ("gemini", 0 | 1) => vec![
            json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": format!("why {turn}"), "thought": true},
                {"functionCall": {"id": id(turn, 0), "name": "f", "args": {"n": 0}}, "thoughtSignature": format!("sig-{turn}")},
                {"functionCall": {"id": id(turn, 1), "name": "f", "args": {"n": 1}}},
            ]}}]}),
        ],
        ("gemini", _) => {
            vec![
                json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "Done."}]}}]}),
            ]
        }
        _ => cohere(turn),
    };
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn chat_calls(turn: usize) -> Vec<Value> {
    let call = |n: usize| {
        json!({"index": n, "id": id(turn, n), "type": "function",
        "function": {"name": "f", "arguments": json!({"n": n}).to_string()}})
    };
    let delta =
        |delta: Value| json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    vec![
        delta(json!({"role": "assistant", "reasoning_content": format!("why {turn}")})),
        delta(json!({"tool_calls": [call(0)]})),
        delta(json!({"tool_calls": [call(1)]})),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ]
}

fn function_call(turn: usize, n: usize) -> Value {
    json!({"id": format!("fc_{turn}_{n}"), "type": "function_call", "call_id": id(turn, n), "name": "f",
           "arguments": json!({"n": n}).to_string()})
}

fn response(turn: usize, output: Vec<Value>) -> Vec<Value> {
    let id = format!("resp_{turn}");
    let mut events = vec![
        json!({"type": "response.created", "response": {"id": id, "status": "in_progress", "output": []}}),
    ];
    for (place, item) in output.iter().enumerate() {
        events.push(json!({"type": "response.output_item.done", "output_index": place, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": {"id": id, "object": "response", "status": "completed", "output": output}}));
    events
}

fn message(turn: usize) -> Vec<Value> {
    let block = |index: usize, start: Value, deltas: Vec<Value>| {
        let mut events = vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
        let delta = |delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
        events.extend(deltas.into_iter().map(delta));
        events.push(json!({"type": "content_block_stop", "index": index}));
        events
    };
    let start = json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m",
        "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let (blocks, reason) = match turn {
        0 | 1 => {
            let thought = block(
                0,
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                vec![
                    json!({"type": "thinking_delta", "thinking": format!("why {turn}")}),
                    json!({"type": "signature_delta", "signature": format!("sig-{turn}")}),
                ],
            );
            let redacted =
                block(1, json!({"type": "redacted_thinking", "data": format!("red-{turn}")}), vec![]);
            let call = |n: usize| {
                block(
                    2 + n,
                    json!({"type": "tool_use", "id": id(turn, n), "name": "f", "input": {}}),
                    vec![json!({"type": "input_json_delta", "partial_json": json!({"n": n}).to_string()})],
                )
            };
            ([thought, redacted, call(0), call(1)].concat(), "tool_use")
        }
        _ => (
            block(
                0,
                json!({"type": "text", "text": ""}),
                vec![json!({"type": "text_delta", "text": "Done."})],
            ),
            "end_turn",
        ),
    };
    let end =
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 2}});
    [vec![start], blocks, vec![end, json!({"type": "message_stop"})]].concat()
}

fn cohere(turn: usize) -> Vec<Value> {
    let said = |kind: &str, index: usize, message: Value| json!({"type": kind, "index": index, "delta": {"message": message}});
    let call = |n: usize| {
        said(
            "tool-call-start",
            n,
            json!({"tool_calls": {"id": id(turn, n), "type": "function",
        "function": {"name": "f", "arguments": json!({"n": n}).to_string()}}}),
        )
    };
    let (events, reason) = match turn {
        0 | 1 => (
            vec![said("tool-plan-delta", 0, json!({"tool_plan": format!("why {turn}")})), call(0), call(1)],
            "TOOL_CALL",
        ),
        _ => (vec![said("content-delta", 0, json!({"content": {"text": "Done."}}))], "COMPLETE"),
    };
    let end = json!({"type": "message-end", "delta": {"finish_reason": reason}});
    [events, vec![end]].concat()
}

async fn post(server: &ServerProcess, path: &str, body: &Value) -> (u16, Value) {
    let client = server.client();
    let request = client.http().post(client.url(path)).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// A client, with the conversation as it has it.
struct Client {
    dialect: &'static str,
    turns: Vec<Value>,
}

impl Client {
    fn new(dialect: &'static str) -> Self {
        Self { dialect, turns: vec![json!({"role": "user", "content": "Do it."})] }
    }

    /// Asks, and answers the calls that come. The text, where it is the end.
    async fn turn(&mut self, server: &ServerProcess) -> Option<String> {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let tool = json!({"type": "function", "function": {"name": "f", "parameters": schema}});
        let (path, body) = match self.dialect {
            "openai" => (
                "/v1/chat/completions",
                json!({"messages": self.turns, "tools": [tool], "reasoning_effort": "low"}),
            ),
            "openai_responses" => (
                "/v1/responses",
                json!({"input": self.turns, "store": false, "reasoning": {"effort": "low"},
                       "include": ["reasoning.encrypted_content"],
                       "tools": [{"type": "function", "name": "f", "parameters": schema}]}),
            ),
            _ => (
                "/v1/messages",
                json!({"max_tokens": 9_000, "messages": self.turns, "thinking": {"type": "enabled", "budget_tokens": 2_000},
                       "tools": [{"name": "f", "input_schema": schema}]}),
            ),
        };
        let mut body = body;
        body["model"] = "provider:m".into();
        let (status, answer) = post(server, path, &body).await;
        assert_eq!(status, 200, "{}: {answer}", self.dialect);
        match self.dialect {
            "openai" => self.take_chat(&answer["choices"][0]),
            "openai_responses" => self.take_response(&answer["output"]),
            _ => self.take_message(&answer),
        }
    }

    fn take_chat(&mut self, choice: &Value) -> Option<String> {
        let message = &choice["message"];
        self.turns.push(message.clone());
        let Some(calls) = message["tool_calls"].as_array() else {
            return message["content"].as_str().map(str::to_owned);
        };
        assert_eq!((calls.len(), &choice["finish_reason"]), (2, &"tool_calls".into()), "{choice}");
        let results =
            calls.iter().map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"}));
        self.turns.extend(results);
        None
    }

    fn take_response(&mut self, output: &Value) -> Option<String> {
        let output = output.as_array().unwrap();
        self.turns.extend(output.iter().cloned());
        let calls: Vec<&Value> = output.iter().filter(|item| item["type"] == "function_call").collect();
        if calls.is_empty() {
            let message = output.iter().find(|item| item["type"] == "message")?;
            return message["content"][0]["text"].as_str().map(str::to_owned);
        }
        assert_eq!(calls.len(), 2, "{output:?}");
        let results = calls
            .iter()
            .map(|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}));
        self.turns.extend(results.collect::<Vec<_>>());
        None
    }

    fn take_message(&mut self, message: &Value) -> Option<String> {
        let content = message["content"].as_array().unwrap();
        self.turns.push(json!({"role": "assistant", "content": content}));
        let calls = content.iter().filter(|block| block["type"] == "tool_use");
        let results: Vec<Value> = calls
            .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}))
            .collect();
        if results.is_empty() {
            let text = content.iter().find(|block| block["type"] == "text")?;
            return text["text"].as_str().map(str::to_owned);
        }
        assert_eq!((results.len(), &message["stop_reason"]), (2, &"tool_use".into()), "{message}");
        self.turns.push(json!({"role": "user", "content": results}));
        None
    }
}

/// What the provider has to get back of the turns before: the calls with their ids, and what led to them.
fn assert_given_back(dialect: &str, sent: &Value, turns: usize, whose: &str) {
    let at = |pointer: &str| sent.pointer(pointer).unwrap_or(&Value::Null).clone();
    for turn in 0..turns {
        let with = |what: &Value| format!("{whose}, turn {turn} of {turns}: {what:#}");
        match dialect {
            "openai" => {
                // A question, and for each turn a message with the calls and two results.
                let message = at(&format!("/messages/{}", 1 + 3 * turn));
                assert_eq!(message["reasoning_content"], format!("why {turn}"), "{}", with(sent));
                assert_eq!(message["tool_calls"][1]["id"], id(turn, 1), "{}", with(sent));
            }
            "openai_responses" => {
                let items = at("/input");
                let items = items.as_array().unwrap();
                let place = items.iter().position(|item| item["call_id"] == id(turn, 0)).unwrap();
                let before = &items[place - 1];
                assert_eq!(
                    (&before["type"], &before["encrypted_content"]),
                    (&"reasoning".into(), &format!("enc-{turn}").into()),
                    "{}",
                    with(sent)
                );
                assert_eq!(items[place + 1]["call_id"], id(turn, 1), "{}", with(sent));
            }
            "anthropic" => {
                let content = at(&format!("/messages/{}/content", 1 + 2 * turn));
                let thought = json!({"type": "thinking", "thinking": format!("why {turn}"), "signature": format!("sig-{turn}")});
                assert_eq!(content[0], thought, "{}", with(sent));
                assert_eq!(
                    content[1],
                    json!({"type": "redacted_thinking", "data": format!("red-{turn}")}),
                    "{}",
                    with(sent)
                );
                assert_eq!(
                    (&content[2]["id"], &content[3]["id"]),
                    (&id(turn, 0).into(), &id(turn, 1).into()),
                    "{}",
                    with(sent)
                );
            }
            "gemini" => {
                let parts = at(&format!("/contents/{}/parts", 1 + 2 * turn));
                let calls: Vec<&Value> = parts
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|part| part["functionCall"].is_object())
                    .collect();
                assert_eq!(calls[0]["thoughtSignature"], format!("sig-{turn}"), "{}", with(sent));
                assert_eq!(calls[1].get("thoughtSignature"), None, "{}", with(sent));
            }
            _ => {
                let message = at(&format!("/messages/{}", 1 + 3 * turn));
                assert_eq!(message["tool_calls"][1]["id"], id(turn, 1), "{}", with(sent));
                assert_eq!(
                    at(&format!("/messages/{}/tool_call_id", 3 + 3 * turn)),
                    id(turn, 1),
                    "{}",
                    with(sent)
                );
            }
        }
    }
}

async fn loop_over(dialect: &'static str) {
    for client_dialect in CLIENTS {
        let (address, sent) = provider(dialect).await;
        let config = format!(
            "[[providers]]\nname = \"provider\"\ndialect = {dialect:?}\nbase_url = \"http://{address}\"\nallow_private = true\n\
             [fallback]\nqueue = []\n{ONE_CALL}"
        );
        let home = ServerHome::new(EXE, &config).unwrap();
        let server = home.start().unwrap();
        let mut client = Client::new(client_dialect);
        assert_eq!(client.turn(&server).await, None);
        assert_eq!(client.turn(&server).await, None);
        // What this run of the server has seen stands in its records.
        server.kill_9().unwrap();
        let server = home.start().unwrap();
        assert_eq!(client.turn(&server).await.as_deref(), Some("Done."), "{client_dialect} over {dialect}");
        let sent = sent.lock().unwrap();
        let whose = format!("{client_dialect} over {dialect}");
        assert_given_back(dialect, &sent[1], 1, &whose);
        assert_given_back(dialect, &sent[2], 2, &whose);
    }
}

macro_rules! over {
    ($($name:ident => $dialect:literal),+) => {
        $(#[tokio::test]
        async fn $name() {
            assert!(DIALECTS.contains(&$dialect));
            loop_over($dialect).await;
        })+
    };
}

over!(
    goes_on_over_chat => "openai",
    goes_on_over_responses => "openai_responses",
    goes_on_over_anthropic => "anthropic",
    goes_on_over_gemini => "gemini",
    goes_on_over_cohere => "cohere"
);
