use futures_util::future::join_all;

use super::scene::{PROMPT, Scene};

/// An outage is not multiplied: whatever fails, calls upstream stay within 1.2 times the requests plus the floor.
#[tokio::test]
async fn when_everything_fails_calls_stay_within_the_budget() {
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
    let ask = async |_| {
        let id = client.submit(PROMPT, &["primary:status-503"]).await.unwrap();
        client.wait_for_end(&id).await.unwrap()
    };
    let ended = join_all((0..REQUESTS).map(ask)).await;
    assert!(ended.iter().all(|whole| whole["status"] == "failed"));
    for provider in [&scene.primary, &scene.backup] {
        let calls = provider.calls().len();
        assert!((REQUESTS..=REQUESTS * 12 / 10 + FLOOR).contains(&calls), "{calls} calls");
    }
}
