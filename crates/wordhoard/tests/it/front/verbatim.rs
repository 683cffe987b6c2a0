//! The same dialect on both sides: a provider gets what the client sent, now and when the request is taken up again.

use serde_json::{Value, json};

use super::Front;
use super::errors::post;

/// For each dialect, a request that says more than other dialects could, and the first field that these name.
fn requests() -> [(&'static str, &'static str, Value, &'static str); 3] {
    let schema =
        json!({"type": "object", "properties": {"zeta": {"type": "string"}, "alpha": {"type": "string"}}});
    [
        (
            "openai",
            "/v1/chat/completions",
            json!({
                "messages": [
                    {"role": "system", "content": "a"},
                    {"role": "user", "name": "ann", "content": [
                        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
                        {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}},
                        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    ]},
                    {"role": "assistant", "content": "hm", "reasoning_content": "thought"},
                    {"role": "system", "content": "b"},
                    {"role": "user", "content": "go on"},
                ],
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": schema}},
                    {"type": "custom", "custom": {"name": "free"}},
                ],
                "stream_options": {"include_usage": true, "include_obfuscation": false},
                "service_tier": "flex", "top_k": 5,
            }),
            "messages[1].content[2].type",
        ),
        (
            "openai_responses",
            "/v1/responses",
            json!({
                "input": [
                    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"},
                    {"role": "user", "content": [
                        {"type": "input_text", "text": "hi"},
                        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
                    ]},
                ],
                "tools": [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": schema, "strict": false}],
                "include": ["message.output_text.logprobs"], "top_logprobs": 2,
            }),
            "input[1].content[1].type",
        ),
        (
            "anthropic",
            "/v1/messages",
            json!({
                "max_tokens": 2048,
                "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                "thinking": {"type": "enabled", "budget_tokens": 1025},
                "messages": [
                    {"role": "user", "content": [
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "grass"},
                         "citations": {"enabled": true}},
                        {"type": "text", "text": "hi"},
                    ]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "sealed"},
                        {"type": "tool_use", "id": "t1", "name": "f", "input": {"zeta": "1"}},
                    ]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": true},
                    ]},
                ],
                "tools": [
                    {"name": "f", "input_schema": schema, "cache_control": {"type": "ephemeral"}},
                    {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
                ],
                "metadata": {"user_id": "u"}, "top_k": 5,
            }),
            "messages[0].content[0].type",
        ),
    ]
}

/// What the provider is due: what was sent, for its model, as a stream, not to be kept.
fn due(dialect: &str, sent: &Value, model: &str) -> Value {
    let mut due = sent.clone();
    due["model"] = model.into();
    due["stream"] = true.into();
    if dialect == "openai_responses" {
        due["store"] = false.into();
    }
    due
}

fn calls_of(front: &Front, model: &str) -> Vec<Value> {
    let calls = front.mock.calls();
    let of_model = calls.iter().filter(|call| call.model == model);
    of_model.map(|call| call.body.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_gets_what_its_client_sent_also_after_kill_9() {
    let mut front = Front::open("");
    let slow = "slow-tokens-200-20";
    for (dialect, path, sent, _) in requests() {
        let mut body = sent.clone();
        (body["model"], body["stream"]) = (json!(format!("{dialect}:ok-20")), json!(false));
        let answer = post(&front, path, &body.to_string(), &[]).await;
        assert_eq!(answer.status, 200, "{dialect}: {}", answer.body);
        let id = answer.header("x-wordhoard-request-id").unwrap();
        let native = front.server.client().get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
        let field = if path == "/v1/responses" { "input" } else { "messages" };
        assert_eq!(
            native["parameters"][field], sent[field],
            "the native API shows what was asked: {native:#}"
        );
    }
    for (call, (dialect, _, sent, _)) in calls_of(&front, "ok-20").iter().zip(requests()) {
        assert_eq!(*call, due(dialect, &sent, "ok-20"), "{dialect}");
        let order = ["zeta", "alpha"].map(|name| call.to_string().find(&format!("\"{name}\":{{")).unwrap());
        assert!(order.is_sorted(), "a schema keeps the order of its properties: {call}");
    }

    // Taken up again by another server, from the record alone.
    let key = [("idempotency-key", "mine")];
    let (_, path, sent, _) = &requests()[2];
    let mut body = sent.clone();
    (body["model"], body["stream"]) = (json!(format!("anthropic:{slow}")), json!(true));
    let client = front.server.client();
    let request = client.http().post(client.url(path)).header("content-type", "application/json");
    let mut begun = request.header(key[0].0, key[0].1).body(body.to_string()).send().await.unwrap();
    assert!(begun.chunk().await.unwrap().is_some());
    front.server.kill_9().unwrap();
    front.server = front.home.start().unwrap();
    let whole = post(&front, path, &body.to_string(), &key).await;
    assert!(whole.body.contains("message_stop"), "{}", whole.body);
    let calls = calls_of(&front, slow);
    assert!(calls.len() > 1, "it was called again");
    assert!(calls.iter().all(|call| *call == due("anthropic", sent, slow)), "{calls:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_its_own_dialect_can_say_is_refused_by_name_elsewhere() {
    let front = Front::open("");
    for (dialect, path, sent, field) in requests() {
        for other in super::DIALECTS.iter().filter(|other| **other != dialect) {
            let mut body = sent.clone();
            body["model"] = json!(format!("{other}:ok-20"));
            let answer = post(&front, path, &body.to_string(), &[]).await;
            assert_eq!(answer.status, 400, "{dialect} before {other}: {}", answer.body);
            assert!(answer.body.contains(field), "{dialect} before {other}: {}", answer.body);
        }
    }
    assert_eq!(front.mock.calls().len(), 0);
}

/// A conversation is gone on with by the id of its last response, with all that only its dialect can say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_follows_another_with_all_its_items() {
    let front = Front::open("");
    let (_, path, sent, _) = &requests()[1];
    let mut body = sent.clone();
    body["model"] = json!("openai_responses:ok-20");
    let first = post(&front, path, &body.to_string(), &[]).await.json();
    let next = json!({
        "model": "openai_responses:ok-20", "input": "and then?", "previous_response_id": first["id"],
        "tools": sent["tools"],
    });
    let second = post(&front, path, &next.to_string(), &[]).await;
    assert_eq!(
        (second.status, &second.json()["previous_response_id"]),
        (200, &first["id"]),
        "{}",
        second.body
    );
    let calls = calls_of(&front, "ok-20");
    let items = calls[1]["input"].as_array().unwrap();
    assert_eq!(items[..2], sent["input"].as_array().unwrap()[..]);
    assert_eq!((&items[2]["role"], items[2].get("id")), (&json!("assistant"), None));
    assert_eq!(items[2]["content"], first["output"][0]["content"]);
    assert_eq!(items[3], json!({"type": "message", "role": "user", "content": "and then?"}));
}
