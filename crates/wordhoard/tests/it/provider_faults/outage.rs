use std::time::{Duration, Instant};

use super::scene::{OPEN_FOR, Scene};

/// A primary that goes away and comes back: nobody notices but by the model that answers, it is not hammered
/// meanwhile, and soon after it is back it answers again.
#[tokio::test]
async fn a_primary_that_comes_back_answers_again_within_one_period_of_its_breaker() {
    let scene = Scene::usual();
    scene.ask("primary:ok-60").await.assert_complete();
    scene.primary.set_down(true);
    let before = scene.primary.refused();
    let (began, mut prompts) = (Instant::now(), 0);
    while began.elapsed() < 4 * OPEN_FOR {
        let told = scene.ask("primary:ok-60").await;
        told.assert_complete();
        assert!(told.attempts().last().unwrap().starts_with("backup:ok-60"));
        prompts += 1;
    }
    let tries = scene.primary.refused() - before;
    // Three until it opens, then one a period; a connection may be tried twice by the client below us.
    assert!(tries <= 16, "{tries} tries for {prompts} prompts");
    let health = scene.client().get("/api/health").await.unwrap().body;
    assert!(["open", "half-open"].contains(&health["providers"]["primary"].as_str().unwrap()), "{health:#}");
    scene.primary.set_down(false);
    let back = Instant::now();
    loop {
        let told = scene.ask("primary:ok-60").await;
        told.assert_complete();
        if told.attempts() == ["primary:ok-60 completed"] {
            break;
        }
        assert!(back.elapsed() < OPEN_FOR + Duration::from_secs(2), "{:?}", told.attempts());
    }
    let health = scene.client().get("/api/health").await.unwrap().body;
    assert_eq!(health["providers"]["primary"], "closed");
}

/// What the breaker knows is kept for the operator, and a restart does not send everybody back to what is down.
#[tokio::test]
async fn an_open_breaker_survives_a_restart_and_a_probe_by_hand_closes_it() {
    let mut scene = Scene::usual();
    let config = std::fs::read_to_string(scene.home.config_path()).unwrap();
    let config = config.replace(&format!("open = \"{}ms\"", OPEN_FOR.as_millis()), "open = \"60s\"");
    scene.home.configure(&config.lines().skip(3).collect::<Vec<_>>().join("\n")).unwrap();
    scene.home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    drop(scene.server);
    let server = scene.home.start().unwrap();
    let client = server.client().with_key(ADMIN_KEY).unwrap();
    scene.primary.set_down(true);
    let id = client.submit("hello", &["primary:ok-60"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    assert_eq!(state(&client).await, "open");
    // The state is written by a task of its own.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.kill_9().unwrap();
    let server = scene.home.start().unwrap();
    let client = server.client().with_key(ADMIN_KEY).unwrap();
    assert_eq!(state(&client).await, "open");
    scene.primary.set_down(false);
    let probe = "/api/admin/providers/primary/probe?model=ok-3";
    let probed = client.post(probe, &serde_json::json!({})).await.unwrap();
    assert_eq!((probed.status, &probed.body["ok"]), (200, &true.into()), "{:#}", probed.body);
    assert_eq!(state(&client).await, "closed");
    scene.primary.set_down(true);
    let probed = client.post(probe, &serde_json::json!({})).await.unwrap();
    assert_eq!(probed.body["ok"], false);
    assert_eq!(state(&client).await, "open", "a failed probe opens at once");
}

const ADMIN_KEY: &str = "admin-key-of-the-outage-test-0123456789";

async fn state(client: &wordhoard_testkit::client::Client) -> String {
    let health = client.get("/api/health").await.unwrap().body;
    health["providers"]["primary"].as_str().unwrap().to_owned()
}
