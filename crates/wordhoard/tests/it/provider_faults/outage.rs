use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wordhoard_testkit::provider::expected_tokens;

use super::scene::{FIRST_TOKEN, OPEN_FOR, Scene};

/// A primary that goes away and comes back: nobody notices but by the model that answers, it is not hammered
/// meanwhile, and soon after it is back it answers again.
#[tokio::test]
async fn a_primary_that_comes_back_answers_again_within_one_period_of_its_breaker() {
    let scene = Scene::usual();
    scene.ask("primary:ok-60").await.assert_complete();
    scene.primary.set_down(true);
    let before = scene.primary.refused();
    // Retries of one request open no breaker; three requests do.
    for told in join_all((0..3).map(async |_| scene.ask("primary:ok-60").await)).await {
        told.assert_complete();
    }
    let (began, mut prompts) = (Instant::now(), 3);
    while began.elapsed() < 4 * OPEN_FOR {
        let told = scene.ask("primary:ok-60").await;
        told.assert_complete();
        assert!(told.attempts().last().unwrap().starts_with("backup:ok-60"));
        prompts += 1;
    }
    let tries = scene.primary.refused() - before;
    // Four of each of three until it opens, then one a period; a connection may be tried twice by the client below us.
    assert!(tries <= 2 * (3 * 4 + 4 + 1), "{tries} tries for {prompts} prompts");
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
    for _ in 0..3 {
        let id = client.submit("hello", &["primary:ok-60"]).await.unwrap();
        client.wait_for_end(&id).await.unwrap();
    }
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

/// A provider that is away for a second under twenty streams, half of each API, and nobody else to ask: each is whole in the end,
/// and told once. Half of them wait for a minute, until the budget of retries has something for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_without_the_provider_costs_no_running_answer() {
    const MODEL: &str = "primary:slow-tokens-60-100";
    let mut scene = Scene::alone();
    // A lane waits for a breaker as long as for a first token.
    let config = std::fs::read_to_string(scene.home.config_path()).unwrap();
    let config =
        config.replace(&format!("first_token = \"{}ms\"", FIRST_TOKEN.as_millis()), "first_token = \"10m\"");
    scene.home.configure(&config.lines().skip(3).collect::<Vec<_>>().join("\n")).unwrap();
    scene.server.kill_9().unwrap();
    scene.server = scene.home.start().unwrap();
    let client = scene.client();
    let chat = async |number: usize| {
        let body = serde_json::json!({
            "model": MODEL, "stream": true, "messages": [{ "role": "user", "content": format!("hi {number}") }],
        });
        let request = client.http().post(client.url("/v1/chat/completions"));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await;
        let (mut answer, mut told) = (answer.unwrap(), Vec::new());
        // A break of the connection shows in what was told.
        while let Ok(Some(bytes)) = answer.chunk().await {
            told.extend_from_slice(&bytes);
        }
        String::from_utf8(told).unwrap()
    };
    let restart = async {
        while scene.primary.calls().len() < 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.primary.set_down(true);
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.primary.set_down(false);
    };
    let native = join_all((0..10).map(async |_| scene.ask(MODEL).await));
    let (native, chats, ()) = tokio::join!(native, join_all((0..10).map(chat)), restart);
    for told in &native {
        told.assert_complete();
        assert!(told.attempts().len() > 1, "it was cut: {:?}", told.attempts());
    }
    for (number, told) in chats.iter().enumerate() {
        let pieces = told.lines().filter_map(|line| line.strip_prefix("data: {"));
        let pieces =
            pieces.map(|piece| serde_json::from_str::<serde_json::Value>(&format!("{{{piece}")).unwrap());
        let text: String = pieces
            .filter_map(|piece| piece["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(text, expected_tokens("ok-60", &format!("hi {number}")).concat(), "{told}");
        assert!(told.contains("[DONE]"), "{told}");
    }
}
