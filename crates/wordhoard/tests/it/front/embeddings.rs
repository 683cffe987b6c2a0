//! Embeddings are recorded like every other answer.

use serde_json::{Value, json};

use super::Front;

async fn embed(front: &Front, model: &str, input: Value) -> (u16, Option<String>, String) {
    let client = front.server.client();
    let body = json!({ "model": model, "input": input, "encoding_format": "float" });
    let request = client
        .http()
        .post(client.url("/v1/embeddings"))
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let id = answer.headers().get("x-wordhoard-request-id").map(|id| id.to_str().unwrap().to_owned());
    (answer.status().as_u16(), id, answer.text().await.unwrap())
}

#[tokio::test]
async fn embeddings_are_recorded_as_they_came_with_what_they_took() {
    let front = Front::open("[aliases]\nvectors = \"openai:ok\"\n");
    let client = front.server.client();
    let document = async |id: &str| client.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
    for provider in ["openai", "openai_responses"] {
        let model = if provider == "openai" { "vectors".to_owned() } else { format!("{provider}:ok") };
        // More than one piece of 256 KiB.
        let inputs: Vec<_> = (0..6_000).map(|n| format!("text {n} ☃")).collect();
        let (status, id, vectors) = embed(&front, &model, json!(inputs)).await;
        assert_eq!(status, 200, "{vectors}");
        let told: Value = serde_json::from_str(&vectors).unwrap();
        assert_eq!(told["data"].as_array().unwrap().len(), inputs.len());
        let id = id.unwrap();
        let attempt = document(&id).await["lanes"][0]["attempts"][0].clone();
        assert_eq!(attempt["status"], "completed", "{}", attempt["error"]);
        assert_eq!(attempt["text"].as_str().unwrap(), vectors, "as it came");
        assert!(attempt["token_count"].as_u64().unwrap() >= 2, "{}", attempt["token_count"]);
        assert_eq!(attempt["usage"]["input_tokens"], inputs.len());
        let call = front.mock.calls().pop().unwrap();
        assert_eq!((&call.body["model"], &call.body["encoding_format"]), (&json!("ok"), &json!("float")));
    }
    // Tokens instead of texts.
    assert_eq!(embed(&front, "openai:ok", json!([[1, 2, 3]])).await.0, 200);

    // Nobody answers in the place of another model, and why it failed is recorded.
    let (status, id, error) = embed(&front, "openai:status-429", json!("x")).await;
    assert_eq!(status, 429, "{error}");
    let failed = document(&id.unwrap()).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["lanes"][0]["attempts"][0]["error"]["class"], "rate_limited", "{failed}");
    for (model, input, field) in [
        ("anthropic:ok", json!("x"), "model"),
        ("openai:ok", json!(null), "input"),
        ("openai:ok", json!({}), "input"),
        ("", json!("x"), "model"),
    ] {
        let (status, id, error) = embed(&front, model, input).await;
        let error: Value = serde_json::from_str(&error).unwrap();
        assert_eq!((status, id, &error["error"]["param"]), (400, None, &json!(field)), "{error}");
    }
}
