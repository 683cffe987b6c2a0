use std::time::Duration;

use futures_util::future::join_all;

use super::scene::{PROMPT, Scene};

/// An outage is not multiplied: whatever fails, calls upstream stay within 1.2 times the requests plus the floor. Who has nobody
/// else to ask waits until the budget has something for it, and is not ended.
#[tokio::test]
async fn when_everything_fails_calls_stay_within_the_budget_and_who_has_no_other_waits() {
    const REQUESTS: usize = 200;
    const FLOOR: usize = 10;
    let scene = Scene::new("", "", "status-500");
    // Without the breaker, which would keep far below the budget by itself.
    let config = std::fs::read_to_string(scene.home.config_path()).unwrap();
    let config = config.replace("failures = 3", "failures = 0");
    let config = config.lines().skip(3).collect::<Vec<_>>().join("\n");
    drop(scene.server);
    scene.home.configure(&config).unwrap();
    let server = scene.home.start().unwrap();
    let client = server.client();
    let submit = async |_| client.submit(PROMPT, &["primary:status-500"]).await.unwrap();
    let ids = join_all((0..REQUESTS).map(submit)).await;
    while scene.backup.calls().len() < REQUESTS {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Longer than any pause between two tries.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for provider in [&scene.primary, &scene.backup] {
        let calls = provider.calls().len();
        assert!((REQUESTS..=REQUESTS * 12 / 10 + FLOOR).contains(&calls), "{calls} calls");
    }
    let cancel = async |id: &String| {
        let path = format!("/api/llm/requests/{id}/cancel");
        let cancelled = client.post(&path, &serde_json::json!({})).await.unwrap();
        assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &"cancelled".into()), "it waited");
    };
    join_all(ids.iter().map(cancel)).await;
}
