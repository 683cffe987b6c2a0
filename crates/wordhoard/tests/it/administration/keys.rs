use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::{KEY, start};
use crate::EXE;
use crate::raw_http::send;
use crate::security::make_key;

async fn may_use(client: &Client, key: &str) -> bool {
    client.with_key(key).unwrap().get("/api/llm/requests").await.unwrap().status == 200
}

/// How long it takes until a key opens, or opens no more.
async fn until(client: &Client, key: &str, opens: bool) -> Duration {
    let started = Instant::now();
    while may_use(client, key).await != opens {
        assert!(started.elapsed() < Duration::from_secs(5), "it was not heard of");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

async fn revoke(admin: &Client, id: &str) -> (u16, Value) {
    let answer = send(admin.http().delete(admin.url(&format!("/api/admin/keys/{id}")))).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_key_that_a_call_makes_opens_at_once_until_it_is_revoked() {
    let mut home = ServerHome::new(EXE, "require_keys = true").unwrap();
    let (server, admin) = start(&mut home);
    let made = admin.post("/api/admin/keys", &json!({ "scope": "use", "name": "Ann's ☃" })).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let (key, id) = (made.body["key"].as_str().unwrap(), made.body["key_id"].as_str().unwrap());
    assert!(may_use(&server.client(), key).await);
    let listed = admin.get("/api/admin/keys").await.unwrap().body["keys"].clone();
    assert_eq!((&listed[0]["name"], &listed[0]["scope"]), (&json!("Ann's ☃"), &json!("use")));
    assert!(listed[0].get("key").is_none() && listed[0].get("sha256").is_none(), "{listed}");

    let (status, revoked) = revoke(&admin, id).await;
    assert_eq!((status, revoked["revoked_at"].is_string()), (200, true), "{revoked}");
    assert!(!may_use(&server.client(), key).await);
    assert_eq!(revoke(&admin, id).await, (200, revoked), "again is the same");
    for unknown in ["0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11", "x", "%00", "..%2fkeys"] {
        assert_eq!(revoke(&admin, unknown).await.0, 404, "{unknown}");
    }
    for (body, field) in [
        (json!({}), "scope"),
        (json!({ "scope": "root" }), "scope"),
        (json!({ "scope": ["use"] }), "scope"),
        (json!({ "scope": "use", "name": 1 }), "name"),
        (json!({ "scope": "use", "name": "a\u{0}b" }), "name"),
        (json!({ "scope": "use", "name": "x".repeat(101) }), "name"),
        (json!({ "scope": "use", "sha256": "00" }), "sha256"),
    ] {
        let refused = admin.post("/api/admin/keys", &body).await.unwrap();
        assert_eq!((refused.status, refused.body["field"].as_str()), (422, Some(field)), "{body}");
    }
    assert_eq!(admin.get("/api/admin/keys").await.unwrap().body["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_command_line_makes_lists_and_revokes_beside_a_running_server() {
    let home = ServerHome::new(EXE, "require_keys = true").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let key = make_key(&home, "use");
    let heard = until(&client, &key, true).await;
    let list = home.run(&["keys", "list", "--json"]).unwrap();
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let id = list[0]["key_id"].as_str().unwrap();
    let revoked = home.run(&["keys", "revoke", id]).unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    let gone = until(&client, &key, false).await;
    println!("a new key opened after {heard:?}, a revoked one no more after {gone:?}");
    assert!(gone < Duration::from_secs(1), "{gone:?}");
    let people = home.run(&["keys", "list"]).unwrap();
    assert!(String::from_utf8(people.stdout).unwrap().contains("revoked"));
    let unknown = home.run(&["keys", "revoke", "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11"]).unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    for bad in [&["keys", "revoke", "x"][..], &["keys", "create", "--scope", "root"], &["keys", "create"]] {
        assert_eq!(home.run(bad).unwrap().status.code(), Some(2), "{bad:?}");
    }
}

/// Two servers on one PostgreSQL; then SQL is frozen, and then one of them starts without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_hears_of_keys_and_switches_within_a_second_and_knows_them_without_sql() {
    let cluster = Postgres::start().await;
    let config = format!("require_keys = true\ndatabase_url = {:?}", cluster.url());
    let (mut home_a, mut home_b) =
        (ServerHome::new(EXE, &config).unwrap(), ServerHome::new(EXE, &config).unwrap());
    let (server_a, a) = start(&mut home_a);
    let (server_b, b) = start(&mut home_b);
    let make = async |scope: &str| a.post("/api/admin/keys", &json!({ "scope": scope })).await.unwrap().body;
    let (kept, taken) = (make("use").await, make("use").await);
    let key = |made: &Value| made["key"].as_str().unwrap().to_owned();
    until(&b, &key(&taken), true).await;
    revoke(&a, taken["key_id"].as_str().unwrap()).await;
    let gone = until(&b, &key(&taken), false).await;

    let (status, _) = super::post(&a, "/api/admin/providers/demo/disable").await;
    assert_eq!(status, 200);
    let started = Instant::now();
    while b.get("/api/admin/providers").await.unwrap().body["providers"][0]["state"] != "disabled" {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("on the other server: revoked after {gone:?}, disabled after {:?}", started.elapsed());
    assert!(gone < Duration::from_secs(1) && started.elapsed() < Duration::from_secs(1));

    cluster.freeze();
    assert!(may_use_prompts(&b, &key(&kept)).await, "what is known counts while SQL is frozen");
    assert!(!may_use_prompts(&b, &key(&taken)).await);
    let asked = Instant::now();
    let refused = b.post("/api/admin/keys", &json!({ "scope": "use" })).await.unwrap();
    assert_eq!((refused.status, refused.retry_after.is_some()), (503, true), "{}", refused.body);
    let (status, body) = super::post(&b, "/api/admin/providers/demo/enable").await;
    assert_eq!(status, 503, "{body}");
    println!("refused after {:?} with SQL frozen", asked.elapsed());
    assert_eq!(b.get("/api/admin/providers").await.unwrap().body["providers"][0]["state"], "disabled");
    server_b.kill_9().unwrap();
    let server_b = home_b.start().unwrap();
    let b = server_b.client();
    assert!(may_use_prompts(&b, &key(&kept)).await, "a start without SQL knows its keys");
    assert!(!may_use_prompts(&b, &key(&taken)).await);
    let id = b.with_key(KEY).unwrap().submit("x", &["demo:terse"]).await.unwrap();
    let ended = b.with_key(KEY).unwrap().wait_for_end(&id).await.unwrap();
    let error = &ended["lanes"][0]["attempts"][0]["error"];
    assert_eq!(
        (&error["class"], &error["message"]),
        (&json!("unavailable"), &json!("the provider is disabled"))
    );
    cluster.thaw();
    drop(server_a);
}

/// Without a list of requests, which needs SQL.
async fn may_use_prompts(client: &Client, key: &str) -> bool {
    let answer = client.with_key(key).unwrap().post("/api/llm/validate", &json!({ "prompt": "x" })).await;
    answer.unwrap().status == 200
}
