//! The limits themselves are inside: what is just allowed is taken in and kept exactly.

use serde_json::json;

use super::Gate;

#[tokio::test]
async fn what_is_just_within_the_limits_is_taken_in_and_kept_exactly() {
    let gate = Gate::open();
    let emoji = |count: usize| "🦀".repeat(count);
    for (prompt, system_message) in [
        (emoji(8_000), emoji(2_000)),
        ("x".repeat(8_000), "ä".repeat(2_000)),
        ("\r\n\ttabs and lines\n".to_owned(), "\u{feff}\u{200b}\u{202e}".to_owned()),
        ("e\u{301}\u{10ffff}\u{fffd}\u{e000}".to_owned(), "\"\\/\u{2028}\u{2029}".to_owned()),
    ] {
        let body = json!({ "prompt": prompt, "system_message": system_message, "models": ["demo:terse"] });
        let accepted = gate.client.post("/api/llm/prompt", &body).await.unwrap();
        assert_eq!(accepted.status, 202, "{:?}", accepted.body);
        let id = accepted.body["request_id"].as_str().unwrap();
        let kept = gate.client.wait_for_end(id).await.unwrap();
        assert_eq!(kept["status"], "completed");
        assert!(kept["prompt"] == prompt, "the prompt was altered");
        assert!(kept["system_message"] == system_message, "the system message was altered");
    }
}

#[tokio::test]
async fn the_ends_of_every_range_are_inside() {
    let gate = Gate::open();
    let model = |weight: f64| json!([{ "provider": "demo", "model": "terse", "weight": weight }]);
    for (field, value) in [
        ("models", json!(vec!["demo:terse"; 5])),
        ("models", model(1.0)),
        ("models", model(0.000_001)),
        ("max_tokens", json!(1)),
        ("max_tokens", json!(u32::MAX)),
        ("temperature", json!(0)),
        ("temperature", json!(2)),
        ("temperature", json!(2.0)),
        ("top_p", json!(1)),
        ("seed", json!(i64::MIN)),
        ("system_message", json!(null)),
        ("stop", json!([])),
    ] {
        let mut body = json!({ "prompt": "edge [demo tokens=1 rate=0]", "models": ["demo:terse"] });
        body[field] = value;
        let accepted = gate.client.post("/api/llm/prompt", &body).await.unwrap();
        assert_eq!(accepted.status, 202, "{body}: {:?}", accepted.body);
        let id = accepted.body["request_id"].as_str().unwrap();
        let kept = gate.client.wait_for_end(id).await.unwrap();
        assert_eq!(kept["status"], "completed", "{body}: {kept}");
    }
}

#[tokio::test]
async fn a_key_of_255_characters_and_a_charset_are_fine() {
    let gate = Gate::open();
    let request = gate.client.http().post(gate.client.url("/api/llm/prompt"));
    let request = request
        .header("content-type", "Application/JSON ; charset=UTF-8")
        .header("idempotency-key", "k".repeat(255));
    let body = "{\"prompt\":\"x [demo tokens=1]\",\"models\":[\"demo:terse\"]}";
    let answer = crate::raw_http::send(request.body(body)).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}
