//! A server that goes for good, and one that only stops.

use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::retiring::{health, id_of, until};
use super::{followed, home};
use crate::administration::start;

const PATIENCE: Duration = Duration::from_secs(30);
const LONG_PROMPT: &str = "cut short [demo tokens=3000 rate=20]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_ends_what_it_cannot_finish() {
    let cluster = Postgres::start().await;
    let url = cluster.url();
    let short = format!("{}\ndrain_timeout = \"1s\"", super::database(&url));
    let (mut home_a, mut home_b) = (home(&url), home(&url));
    home_a.configure(&short).unwrap();
    let (mut server_a, admin_a) = start(&mut home_a);
    let (_server_b, admin) = start(&mut home_b);
    let id = admin_a.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap();
    drop(followed(&admin, &id, None).await);
    let this = id_of(&admin_a).await;

    // An ordinary stop leaves it open: others see that it waits.
    server_a.terminate().unwrap();
    assert!(server_a.wait(PATIENCE).unwrap().success());
    assert_eq!(state(&home_b, &this), json!("stopped"));
    assert_eq!(admin.get(&format!("/api/llm/requests/{id}")).await.unwrap().body["status"], "running");
    until(&admin, "somebody has to do something", async |admin| {
        let health = health(admin).await;
        let absent = &health["services"]["servers"]["absent"][0];
        health["status"] == "degraded" && absent["state"] == "stopped" && absent["open_requests"] == 1
    })
    .await;
    let (mut server_a, admin_a) = start(&mut home_a);
    until(&admin, "it is back", async |admin| health(admin).await["status"] == "healthy").await;

    let undone = [&["servers", "leave"][..], &["servers", "leave", "--undo"], &["servers", "leave"]];
    for command in undone {
        let done = home_a.run(command).unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let running = admin_a.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
    assert_eq!(running["status"], "running");
    server_a.terminate().unwrap();
    assert!(server_a.wait(PATIENCE).unwrap().success());
    assert_eq!(admin.wait_for_end(&id).await.unwrap()["status"], "interrupted");
    assert_eq!(state(&home_b, &this), json!("left"));
    assert_eq!(health(&admin).await["services"]["servers"]["absent"], json!([]));

    // It may come back, and the wish is fulfilled. Without a server, it is closed at once.
    let (server_a, admin_a) = start(&mut home_a);
    let id = admin_a.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap();
    drop(followed(&admin, &id, None).await);
    server_a.kill_9().unwrap();
    let left = home_a.run(&["servers", "leave"]).unwrap();
    assert!(left.status.success(), "{left:?}");
    assert_eq!(admin.wait_for_end(&id).await.unwrap()["status"], "interrupted");
    assert_eq!(state(&home_b, &this), json!("left"));
    let elsewhere = ServerHome::new(crate::EXE, "").unwrap();
    assert_eq!(elsewhere.run(&["servers", "leave"]).unwrap().status.code(), Some(1), "there is no server");
}

fn state(home: &ServerHome, id: &str) -> Value {
    let listed = home.run(&["servers", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    listed.as_array().unwrap().iter().find(|server| server["server_id"] == id).unwrap()["state"].clone()
}
