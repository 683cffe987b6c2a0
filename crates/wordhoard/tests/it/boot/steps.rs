use std::time::{Duration, Instant};

use wordhoard_testkit::cutter::{Cutter, Mode};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::{STEPS, health, ready, steps};
use crate::EXE;
use crate::database::Database;

/// What serializes migrations (`wordhoar`, as a number).
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"wordhoar");

#[tokio::test]
async fn are_all_shown_with_their_times() {
    let home = Database::Sqlite.home();
    let server = home.start().unwrap();
    let health = health(&server.client()).await;
    let done = STEPS.map(|name| (name.to_owned(), "done".to_owned()));
    assert_eq!(steps(&health), done);
    let boot = &health["services"]["boot"];
    let times = boot["steps"].as_array().unwrap().iter().map(|step| step["elapsed_ms"].as_u64().unwrap());
    assert!(times.sum::<u64>() <= boot["ready_after_ms"].as_u64().unwrap(), "{boot}");
    assert_eq!(health["status"], "healthy");
}

#[tokio::test]
async fn are_shown_while_another_server_migrates_and_nothing_else_is_served() {
    let cluster = Postgres::start().await;
    let other = cluster.client().await;
    let lock = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
    other.batch_execute(&lock).await.unwrap();
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", cluster.url())).unwrap();
    let (server, started) = (home.spawn().unwrap(), Instant::now());
    serves_nothing_but_its_health(&server).await;
    // A migration is waited for, however long it takes.
    tokio::time::sleep(Duration::from_secs(2)).await;
    serves_nothing_but_its_health(&server).await;
    drop(other);
    ready(&server, started).await;
    let health = health(&server.client()).await;
    assert_eq!(
        (&health["db_ok"], &health["services"]["boot"]["steps"][3]["state"]),
        (&true.into(), &"done".into())
    );
    assert!(health["services"]["boot"]["steps"][3]["elapsed_ms"].as_u64() >= Some(2000), "{health}");
}

#[tokio::test]
async fn do_not_wait_for_a_database_that_does_not_answer() {
    let cluster = Postgres::start().await;
    let cutter = Cutter::start(cluster.port()).await.unwrap();
    cutter.set_mode(Mode::Silent);
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", cutter.url(&cluster.url()))).unwrap();
    let (server, started) = (home.spawn().unwrap(), Instant::now());
    serves_nothing_but_its_health(&server).await;
    let took = ready(&server, started).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let client = server.client();
    let steps = steps(&health(&client).await);
    let deferred = steps.iter().filter(|(_, state)| state == "deferred").map(|(name, _)| name.as_str());
    assert!(deferred.eq(["database", "apply", "recovery", "consistency"]), "{steps:?}");
    works_and_catches_up(&server, || cutter.set_mode(Mode::Pass)).await;
}

#[tokio::test]
async fn do_not_wait_for_a_database_that_is_down_and_the_schema_comes_with_it() {
    let cluster = Postgres::start().await;
    cluster.stop().await;
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", cluster.url())).unwrap();
    let (server, started) = (home.spawn().unwrap(), Instant::now());
    let took = ready(&server, started).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let health = health(&server.client()).await;
    assert_eq!((&health["db_ok"], &health["status"]), (&false.into(), &"degraded".into()), "{health}");
    let id = server.client().submit("down [demo tokens=20 rate=1000]", &["demo:brisk"]).await.unwrap();
    server.client().read_to_end(&id, None).await.unwrap();
    cluster.start_again().await;
    works_and_catches_up(&server, || ()).await;
    assert_eq!(cluster.psql(&["-c", "SELECT count(*) FROM llm_requests"]).await.trim(), "2");
}

async fn serves_nothing_but_its_health(server: &ServerProcess) {
    let client = server.client();
    while client.get("/livez").await.is_err() || steps(&health(&client).await).len() < 4 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(client.get("/livez").await.unwrap().status, 200);
    assert_eq!(client.get("/readyz").await.unwrap().status, 503);
    for path in ["/api/llm/requests", "/api/llm/stream/0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11", "/nowhere"] {
        let refused = client.get(path).await.unwrap();
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (503, "application/problem+json"),
            "{path}"
        );
        assert!(refused.retry_after.is_some_and(|after| after.parse::<u64>().is_ok()), "{path}");
    }
    let refused = client.post("/api/llm/prompt", &serde_json::json!({ "prompt": "early" })).await.unwrap();
    assert_eq!(
        (refused.status, refused.body["type"].as_str()),
        (503, Some("urn:wordhoard:problem:starting"))
    );
    let begun: Vec<_> = steps(&health(&client).await);
    assert_eq!(begun.last().unwrap(), &("database".to_owned(), "running".to_owned()), "{begun:?}");
    assert!(begun.iter().map(|(name, _)| name.as_str()).eq(STEPS.into_iter().take(4)), "{begun:?}");
}

/// A prompt is answered without SQL; then SQL comes, and has it.
async fn works_and_catches_up(server: &ServerProcess, come: impl FnOnce()) {
    let client = server.client();
    let id = client.submit("without SQL [demo tokens=20 rate=1000]", &["demo:brisk"]).await.unwrap();
    let seen = client.read_to_end(&id, None).await.unwrap();
    come();
    let started = Instant::now();
    loop {
        let health = health(&client).await;
        if health["db_ok"] == true && health["buffer_len"] == 0 && health["token_gap"] == false {
            break;
        }
        assert!(started.elapsed() < super::PATIENCE, "{health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.read_to_end(&id, None).await.unwrap(), seen);
}
