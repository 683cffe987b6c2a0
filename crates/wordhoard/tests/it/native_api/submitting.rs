use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::start;

#[tokio::test]
async fn the_answer_tells_id_models_and_stream() {
    let (_home, server) = start("[aliases]\nquick = \"demo:terse\"");
    let client = server.client();
    let body = json!({
        "prompt": "who [demo tokens=2 rate=0]",
        "models": ["quick", { "provider": "demo", "model": "brisk", "weight": 0.5 }, "bard", "demo:terse"],
        "system_message": "be kind",
        "max_tokens": 7,
        "temperature": 0,
        "stop": ["x"],
        "seed": null,
    });
    let accepted = client.post("/api/llm/prompt", &body).await.unwrap();
    assert_eq!((accepted.status, accepted.content_type.as_str()), (202, "application/json"));
    let id = accepted.body["request_id"].as_str().unwrap();
    let expected = json!({
        "request_id": id,
        "status": "accepted",
        "models_selected": ["demo:terse", "demo:brisk", "demo:bard", "demo:terse"],
        "stream_url": format!("/api/llm/stream/{id}"),
    });
    assert_eq!(accepted.body, expected);
    let whole = client.wait_for_end(id).await.unwrap();
    assert_eq!(whole["status"], "completed");
    let weights: Vec<&Value> =
        whole["lanes"].as_array().unwrap().iter().map(|lane| &lane["weight"]).collect();
    assert_eq!(weights, [&Value::Null, &json!(0.5), &Value::Null, &Value::Null]);
    assert_eq!(whole["system_message"], "be kind");
    assert_eq!(whole["parameters"], json!({ "max_tokens": 7, "temperature": 0.0, "stop": ["x"] }));
}

#[tokio::test]
async fn models_that_are_left_out_are_selected() {
    let (_home, server) = start("");
    let client = server.client();
    for body in [
        json!({ "prompt": "hello [demo tokens=1 rate=0]" }),
        json!({ "prompt": "Why does this Rust function not compile? [demo tokens=1 rate=0]", "models": null }),
        json!({ "prompt": format!("{} [demo tokens=1 rate=0]", "long ".repeat(300)) }),
    ] {
        let accepted = client.post("/api/llm/prompt", &body).await.unwrap();
        assert_eq!(accepted.status, 202, "{:?}", accepted.body);
        let selected = accepted.body["models_selected"].as_array().unwrap();
        let different: BTreeSet<&str> = selected.iter().filter_map(Value::as_str).collect();
        assert_eq!((selected.len(), different.len()), (3, 3), "{selected:?}");
        let whole = client.wait_for_end(accepted.body["request_id"].as_str().unwrap()).await.unwrap();
        assert_eq!(whole["status"], "completed", "{whole}");
        let lanes = whole["lanes"].as_array().unwrap().iter().map(|lane| &lane["model"]);
        assert!(lanes.eq(selected.iter()), "{whole}");
    }
}

#[tokio::test]
async fn validating_tells_the_same_and_stores_nothing() {
    let (_home, server) = start("");
    let client = server.client();
    let good = json!({ "prompt": "🦀🦀 ok", "models": ["demo:terse"], "max_tokens": 3 });
    let bad = json!({ "prompt": " ", "models": ["demo:terse", "no:x"], "max_tokens": 0, "colour": "red" });
    let valid = client.post("/api/llm/validate", &good).await.unwrap();
    assert_eq!(valid.status, 200);
    let expected =
        json!({ "valid": true, "errors": [], "prompt_length": 5, "models_selected": ["demo:terse"] });
    assert_eq!(valid.body, expected);
    let invalid = client.post("/api/llm/validate", &bad).await.unwrap();
    assert_eq!((invalid.status, &invalid.body["valid"]), (200, &Value::Bool(false)));
    let errors = invalid.body["errors"].as_array().unwrap();
    let fields: BTreeSet<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
    assert_eq!(fields, BTreeSet::from(["prompt", "models[1]", "max_tokens", "colour"]));
    let refused = client.post("/api/llm/prompt", &bad).await.unwrap();
    assert_eq!(refused.body["errors"], invalid.body["errors"]);
    assert_eq!(client.get("/api/llm/requests").await.unwrap().body["requests"], json!([]));
    let health = client.get("/api/health").await.unwrap().body;
    assert_eq!((&health["buffer_len"], &health["running_requests"]), (&json!(0), &json!(0)));
}
