//! What is asked for and what a model or its dialect can do.

use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;

/// A strict and a lenient provider of Anthropic's dialect, and one whose model can do little.
fn config(base_url: &str) -> String {
    let provider = |name: &str, dialect: &str, rest: &str| {
        format!(
            "[[providers]]\nname = {name:?}\ndialect = {dialect:?}\nbase_url = {base_url:?}\nallow_private = true\n{rest}\n"
        )
    };
    [
        provider("strict", "anthropic", ""),
        provider("lenient", "anthropic", "unsupported = \"drop\""),
        provider("plain", "openai", "models = [{ name = \"ok\", tools = false, json_schema = false }]"),
    ]
    .concat()
}

async fn post(client: &Client, model: &str, field: &str, value: &Value) -> (u16, Value) {
    let mut body = json!({ "prompt": "hello", "models": [model] });
    body[field] = value.clone();
    let answer = client.post("/api/llm/prompt", &body).await.unwrap();
    (answer.status, answer.body)
}

#[tokio::test]
async fn what_alters_the_answer_is_refused_by_name_unless_it_may_be_dropped_and_a_hint_is_left_out() {
    let mock = MisbehavingProvider::start().unwrap();
    let home = ServerHome::new(EXE, &config(&mock.base_url())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let tool = json!([{ "type": "function", "function": { "name": "f" } }]);
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": {} } });
    for (model, field, value) in [
        ("strict:ok", "logit_bias", json!({ "1": 1 })),
        ("strict:ok", "temperature", json!(1.5)),
        ("plain:ok", "response_format", schema),
    ] {
        let (status, body) = post(&client, model, field, &value).await;
        assert_eq!((status, &body["field"]), (422, &field.into()), "{model} {field}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(model), "it says who was asked: {body}");
    }
    assert!(mock.calls().is_empty(), "somebody was called");
    for (model, field, value) in [
        ("strict:ok", "seed", json!(1)),
        ("strict:ok", "response_format", json!({ "type": "json_object" })),
        ("plain:ok", "tools", tool),
        ("lenient:ok", "logit_bias", json!({ "1": 1 })),
        ("lenient:ok", "temperature", json!(1.5)),
    ] {
        let (status, body) = post(&client, model, field, &value).await;
        assert_eq!(status, 202, "{field}: {body}");
        let whole = client.wait_for_end(body["request_id"].as_str().unwrap()).await.unwrap();
        assert_eq!(whole["status"], "completed", "{whole:#}");
        assert_eq!(whole["dropped_fields"], json!([field]), "{whole:#}");
        let calls = mock.calls();
        let told = &calls.last().unwrap().body;
        assert!(told.get(field).is_none_or(|told| *told == json!(1.0)), "{told}");
    }
}
