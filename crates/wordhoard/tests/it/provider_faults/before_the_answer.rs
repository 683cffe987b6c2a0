use std::time::Duration;

use serde_json::Value;

use super::scene::{FIRST_TOKEN, PROMPT, Scene};

#[tokio::test]
async fn a_429_that_says_when_is_tried_again_then_and_not_before_where_nobody_else_can_answer() {
    let scene = Scene::alone();
    let told = scene.ask("primary:seq:status-429-retry-2|ok-60").await;
    told.assert_complete();
    let calls = scene.primary.calls();
    assert_eq!((calls.len(), scene.backup.calls().len()), (2, 0), "{:?}", told.attempts());
    let gap = calls[1].at - calls[0].at;
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&gap), "{gap:?}");
    assert_eq!(told.attempt(0)["error"]["retry_after_ms"], 2_000);
}

#[tokio::test]
async fn a_429_goes_to_the_fallback_at_once_and_the_model_rests_while_others_of_its_provider_answer() {
    let scene = Scene::usual();
    for _ in 0..2 {
        let told = scene.ask("primary:status-429-retry-30").await;
        told.assert_complete();
        assert_eq!(scene.primary.calls().len(), 1, "{:?}", told.attempts());
    }
    scene.ask("primary:ok-60").await.assert_complete();
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 2));
}

/// Whoever asks another model of the provider never waits for the one that is limited.
#[tokio::test]
async fn a_429_for_a_minute_makes_only_those_wait_who_ask_that_model() {
    let scene = Scene::alone();
    let client = scene.client();
    let limited = async || client.submit(PROMPT, &["primary:status-429-retry-60"]).await.unwrap();
    let mut waiting = vec![limited().await];
    let first = format!("/api/llm/requests/{}", waiting[0]);
    // A call that is on its way while the 429 comes cannot know of it: the others ask once it is recorded.
    while client.get(&first).await.unwrap().body["lanes"][0]["attempts"][0]["error"].is_null() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..4 {
        waiting.push(limited().await);
    }
    for _ in 0..20 {
        let told = scene.ask("primary:ok-60").await;
        told.assert_complete();
        assert!(told.took < FIRST_TOKEN, "{:?}", told.took);
        assert_eq!(told.attempts().len(), 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in waiting {
        let path = format!("/api/llm/requests/{id}");
        assert_eq!(client.get(&path).await.unwrap().body["status"], "running", "it waits for its model");
        assert_eq!(client.post(&format!("{path}/cancel"), &Value::Null).await.unwrap().status, 200);
    }
    let limited = scene.primary.calls().into_iter().filter(|call| call.model != "ok-60").count();
    assert_eq!(limited, 1, "the model rests, and is not called");
}

#[tokio::test]
async fn one_500_is_tried_again() {
    let scene = Scene::usual();
    let told = scene.ask("primary:seq:status-500|ok-60").await;
    told.assert_complete();
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 0));
    assert_eq!(told.attempts()[0], "primary:seq:status-500|ok-60 provider_error");
}

#[tokio::test]
async fn a_503_without_end_opens_the_breaker_and_the_next_prompt_does_not_call_at_all() {
    let scene = Scene::usual();
    let told = scene.ask("primary:status-503").await;
    told.assert_complete();
    let calls = scene.primary.calls().len();
    assert!((2..=4).contains(&calls), "{:?}", told.attempts());
    let health = scene.client().get("/api/health").await.unwrap().body;
    if health["providers"]["primary"] == "open" {
        let next = scene.ask("primary:ok-60").await;
        next.assert_complete();
        if next.attempts()[0] == "primary:ok-60 provider_down" {
            assert_eq!(scene.primary.calls().len(), calls);
        }
    }
}

#[tokio::test]
async fn a_connection_reset_before_any_header_is_tried_again_and_then_given_up() {
    let scene = Scene::usual();
    scene.ask("primary:seq:reset|ok-60").await.assert_complete();
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 0));
    let told = scene.ask("primary:reset").await;
    told.assert_complete();
    assert!(scene.primary.calls().len() <= 6, "{:?}", told.attempts());
    assert_eq!(scene.backup.calls().len(), 1);
}

#[tokio::test]
async fn no_answer_at_all_goes_to_the_fallback_at_the_limit_and_never_the_same_silent_route_again() {
    let scene = Scene::usual();
    for model in ["never-answers", "slow-start-60000"] {
        let told = scene.ask(&format!("primary:{model}")).await;
        told.assert_complete();
        assert_eq!(told.attempts()[0], format!("primary:{model} first_token_timeout"));
        assert!((FIRST_TOKEN..FIRST_TOKEN + Duration::from_secs(4)).contains(&told.took), "{:?}", told.took);
    }
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 2));
}

#[tokio::test]
async fn a_prompt_too_long_for_a_model_goes_to_one_with_a_larger_window() {
    let windows =
        "{ name = \"ok-60\", context_window = 4096 }, { name = \"ok-61\", context_window = 128000 }";
    let scene = Scene::new("{ name = \"context-length\", context_window = 8192 }", windows, "ok-61");
    let told = scene.ask("primary:context-length").await;
    assert_eq!(told.attempts(), ["primary:context-length context_length", "backup:ok-61 completed"]);
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (1, 1));
    // A window that is no larger helps nobody.
    let small = Scene::new("{ name = \"context-length\", context_window = 8192 }", windows, "ok-60");
    let told = small.ask("primary:context-length").await;
    assert_eq!(told.attempts(), ["primary:context-length context_length"]);
    assert_eq!(told.whole["status"], "failed");
}

#[tokio::test]
async fn a_refused_prompt_is_told_with_the_providers_reason_and_nobody_else_is_asked() {
    let scene = Scene::usual();
    let told = scene.ask("primary:filter-prompt").await;
    assert_eq!(told.whole["status"], "failed");
    assert_eq!(told.attempts(), ["primary:filter-prompt content_policy"]);
    assert!(told.attempt(0)["error"]["message"].as_str().is_some_and(|reason| !reason.is_empty()));
    // Where the answer had begun, the filter is how it ended.
    let told = scene.ask("primary:filter-after-7").await;
    assert_eq!(told.attempts(), ["primary:filter-after-7 completed"]);
    assert_eq!(told.attempt(0)["finish_reason"], "content_filter");
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 0));
}

#[tokio::test]
async fn a_key_that_is_revoked_is_no_fault_of_the_caller_and_alarms_the_operator() {
    let scene = Scene::usual();
    let told = scene.ask("primary:status-401").await;
    told.assert_complete();
    assert_eq!(told.attempts()[0], "primary:status-401 unauthorized");
    assert_eq!(scene.primary.calls().len(), 1);
    let alarms = scene.server.log().unwrap().into_iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!(alarms, 1, "{:#?}", scene.server.log().unwrap());
}
