//! No field of any body, no header and no parameter makes the server call a place that the configuration does not name.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::ADMIN_KEY;
use crate::raw_http::send;
use crate::{EXE, ONE_CALL};

/// Fields of the prompt, known and hoped for by whoever tries.
const FIELDS: &[&str] = &[
    "prompt",
    "system_message",
    "models",
    "stop",
    "seed",
    "user",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "prediction",
    "service_tier",
    "reasoning_effort",
    "verbosity",
    "logit_bias",
    "top_p",
    "max_tokens",
    "base_url",
    "api_base",
    "url",
    "endpoint",
    "host",
    "proxy",
    "webhook",
    "webhook_url",
    "callback",
    "callback_url",
    "image_url",
    "images",
    "file",
    "files",
    "attachments",
    "input",
    "messages",
    "provider",
    "providers",
    "api_key",
    "headers",
    "stream_url",
    "extra_body",
    "extra_headers",
];

#[tokio::test]
async fn nothing_that_a_caller_says_names_a_place_to_call() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/latest/meta-data", trap.local_addr().unwrap());
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &(config + ONE_CALL)).unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    let client = server.client().with_key(ADMIN_KEY).unwrap();

    let shapes: [Value; 6] = [
        json!(url),
        json!([url]),
        json!({ "url": url }),
        json!([{ "provider": url, "model": "x" }]),
        json!([{ "provider": "mock", "model": url }]),
        json!([{ "type": "image_url", "image_url": { "url": url } }]),
    ];
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for field in FIELDS {
        for shape in &shapes {
            let mut body = json!({ "prompt": "look [demo tokens=1]", "models": ["mock:ok"] });
            body[*field] = shape.clone();
            let answer = client.post("/api/llm/prompt", &body).await.unwrap();
            match answer.status {
                202 => accepted.push(answer.body["request_id"].as_str().unwrap().to_owned()),
                400 | 422 => refused += 1,
                other => panic!("{field} {shape}: {other} {}", answer.body),
            }
        }
    }
    for (name, value) in [
        ("idempotency-key", url.as_str()),
        ("referer", &url),
        ("x-forwarded-host", "169.254.169.254"),
        ("forwarded", "host=169.254.169.254"),
        ("x-original-url", &url),
        ("from", &url),
    ] {
        let request = client.http().post(client.url("/api/llm/prompt")).header(name, value);
        let body = json!({ "prompt": "x", "models": ["mock:ok"] }).to_string();
        let answer = send(request.header("content-type", "application/json").body(body)).await;
        accepted.push(answer.json()["request_id"].as_str().unwrap().to_owned());
    }
    let encoded = url.replace(':', "%3A").replace('/', "%2F");
    for path in [
        format!("/api/admin/providers/mock/probe?model={encoded}"),
        format!("/api/admin/providers/{encoded}/probe"),
        format!("/api/admin/providers/{encoded}/enable"),
        format!("/api/llm/requests/{encoded}/cancel"),
    ] {
        client.post(&path, &Value::Null).await.unwrap();
    }
    for id in &accepted {
        client.wait_for_end(id).await.unwrap();
    }
    println!(
        "{} accepted, {refused} refused, {} calls to the one provider",
        accepted.len(),
        mock.calls().len()
    );
    assert!(mock.calls().len() >= accepted.len(), "what was accepted went to the provider");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let called = trap.accept();
    assert!(called.is_err(), "the trap was called: {called:?}");
}
