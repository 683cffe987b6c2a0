use std::time::Duration;

use wordhoard_testkit::provider::expected_tokens;

use super::scene::{BETWEEN_TOKENS, PROMPT, Scene};

#[tokio::test]
async fn a_cut_answer_goes_on_where_its_model_can_go_on() {
    let model = "seq:cut-after-40|prefill-60";
    let scene = Scene::new(&format!("{{ name = {model:?}, prefill = true }}"), "", "ok-60");
    let told = scene.ask(&format!("primary:{model}")).await;
    told.assert_complete();
    let calls = scene.primary.calls();
    assert_eq!((calls.len(), scene.backup.calls().len()), (2, 0), "{:?}", told.attempts());
    let messages = calls[1].body["messages"].as_array().unwrap();
    assert_eq!(messages.last().unwrap()["role"], "assistant");
    let so_far = expected_tokens("ok-40", PROMPT).concat();
    assert_eq!(messages.last().unwrap()["content"], so_far);
    assert_eq!(told.attempt(1)["continues"]["attempt_seq"], 1);
    assert_eq!(told.attempt(1)["continues"]["token_index"], 39);
    assert_eq!((&told.attempt(0)["token_count"], &told.attempt(1)["token_count"]), (&40.into(), &20.into()));
    let started: Vec<_> = told.events.iter().filter(|event| event.name == "attempt.started").collect();
    assert!(started[0].data["continues"].is_null());
    assert_eq!(started[1].data["continues"]["token_index"], 39);
}

#[tokio::test]
async fn the_rest_of_an_answer_has_the_rest_of_its_limit() {
    let model = "seq:cut-after-40|prefill-60";
    let scene = Scene::new(&format!("{{ name = {model:?}, prefill = true }}"), "", "ok-60");
    let body = serde_json::json!({
        "prompt": PROMPT, "models": [format!("primary:{model}")], "max_tokens": 60,
    });
    let client = scene.client();
    let accepted = client.post("/api/llm/prompt", &body).await.unwrap().body;
    client.wait_for_end(accepted["request_id"].as_str().unwrap()).await.unwrap();
    let limits: Vec<_> = scene.primary.calls().iter().map(|call| call.body["max_tokens"].clone()).collect();
    assert_eq!(limits, [60, 20]);
}

#[tokio::test]
async fn a_cut_answer_goes_on_at_the_fallback_where_only_that_can() {
    let scene = Scene::new("", "{ name = \"prefill-60\", prefill = true }", "prefill-60");
    let told = scene.ask("primary:cut-after-40").await;
    told.assert_complete();
    assert_eq!(told.attempts(), ["primary:cut-after-40 cut", "backup:prefill-60 completed"]);
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (1, 1));
    assert_eq!(told.attempt(1)["token_count"], 20);
}

#[tokio::test]
async fn an_answer_that_nobody_can_go_on_with_is_restarted_by_the_fallback() {
    let scene = Scene::without_breaker();
    for (model, class) in [
        ("cut-after-40", "cut"),
        ("bad-json-after-40", "malformed"),
        ("error-after-40", "stream_error"),
        ("ends-after-40", "cut"),
    ] {
        let told = scene.ask(&format!("primary:{model}")).await;
        told.assert_complete();
        assert_eq!(told.attempts(), [format!("primary:{model} {class}"), "backup:ok-60 completed".into()]);
        assert_eq!(told.attempt(0)["token_count"], 40, "what came is kept");
        assert!(told.attempt(1)["continues"].is_null());
    }
}

#[tokio::test]
async fn a_stalled_answer_falls_back_and_its_route_is_not_tried_again() {
    let scene = Scene::usual();
    let told = scene.ask("primary:stall-after-40").await;
    told.assert_complete();
    assert_eq!(told.attempts(), ["primary:stall-after-40 stall_timeout", "backup:ok-60 completed"]);
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (1, 1));
    assert!(
        (BETWEEN_TOKENS..BETWEEN_TOKENS + Duration::from_secs(4)).contains(&told.took),
        "{:?}",
        told.took
    );
}

#[tokio::test]
async fn a_missing_done_is_no_fault() {
    let scene = Scene::usual();
    let told = scene.ask("primary:no-done").await;
    told.assert_complete_with(&expected_tokens("ok", PROMPT).concat());
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (1, 0));
}

#[tokio::test]
async fn a_fallback_that_refuses_to_go_on_restarts_and_its_refusal_is_not_the_answer() {
    let model = "refuses-prefill-60";
    let scene = Scene::new("", &format!("{{ name = {model:?}, prefill = true }}"), model);
    let told = scene.ask("primary:cut-after-40").await;
    told.assert_complete();
    let refused = format!("backup:{model} bad_request");
    let completed = format!("backup:{model} completed");
    assert_eq!(told.attempts(), ["primary:cut-after-40 cut".to_owned(), refused, completed]);
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (1, 2));
}

#[tokio::test]
async fn other_words_of_the_fallback_stand_as_an_answer_of_their_own() {
    let scene = Scene::new("", "", "differs-60");
    let told = scene.ask("primary:cut-after-40").await;
    told.assert_complete_with(&expected_tokens("differs-60", PROMPT).concat());
    assert_eq!(told.attempt(0)["text"], expected_tokens("ok-40", PROMPT).concat());
}

#[tokio::test]
async fn without_a_fallback_a_cut_answer_is_never_called_complete() {
    let scene = Scene::usual();
    let body = serde_json::json!({"prompt": PROMPT, "models": ["primary:cut-after-40"], "fallback": false});
    let client = scene.client();
    let accepted = client.post("/api/llm/prompt", &body).await.unwrap().body;
    let whole = client.wait_for_end(accepted["request_id"].as_str().unwrap()).await.unwrap();
    assert_eq!((&whole["status"], &whole["lanes"][0]["status"]), (&"failed".into(), &"failed".into()));
    assert_eq!(scene.backup.calls().len(), 0);
    assert!(scene.primary.calls().len() <= 4);
}
