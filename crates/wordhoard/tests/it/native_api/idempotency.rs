use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;

use super::start;
use crate::raw_http::{Raw, send};

async fn submit(client: &Client, key: &str, body: &Value) -> Raw {
    let request = client.http().post(client.url("/api/llm/prompt"));
    let request = request.header("content-type", "application/json").header("idempotency-key", key);
    send(request.body(body.to_string())).await
}

async fn stored(client: &Client) -> usize {
    let list = client.get("/api/llm/requests?limit=500").await.unwrap();
    list.body["requests"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_key_brings_about_one_request_over_crashes_too() {
    let (home, server) = start("");
    let client = server.client();
    let body = json!({ "prompt": "once [demo tokens=5 rate=0]", "models": ["demo:terse"] });
    let other = json!({ "prompt": "twice", "models": ["demo:terse"] });
    let first = submit(&client, "key-1", &body).await;
    assert_eq!(first.status, 202);
    let id = first.json()["request_id"].as_str().unwrap().to_owned();
    let check = async |client: &Client| {
        let again = submit(client, "key-1", &body).await;
        assert_eq!((again.status, again.json()), (202, first.json()));
        let clash = submit(client, "key-1", &other).await;
        assert_eq!(clash.status, 422, "{}", clash.body);
        assert_eq!(clash.json()["field"], "Idempotency-Key");
        assert_eq!(clash.json()["type"], "urn:wordhoard:problem:idempotency-key-reused");
        assert_eq!(stored(client).await, 1);
    };
    check(&client).await;
    client.wait_for_end(&id).await.unwrap();
    check(&client).await;
    server.kill_9().unwrap();
    let mut server = home.start().unwrap();
    check(&server.client()).await;
    server.terminate().unwrap();
    assert!(server.wait(Duration::from_secs(20)).unwrap().success());
    let server = home.start().unwrap();
    check(&server.client()).await;
    // Another key is another request.
    let second = submit(&server.client(), "key-2", &body).await;
    assert_eq!(second.status, 202);
    assert_ne!(second.json()["request_id"], first.json()["request_id"]);
    assert_eq!(stored(&server.client()).await, 2);
}

#[tokio::test]
async fn many_at_once_with_one_key_are_one_request() {
    let (_home, server) = start("");
    let client = server.client();
    for round in 0..10 {
        let key = format!("race-{round}");
        let body =
            json!({ "prompt": format!("race {round} [demo tokens=2 rate=0]"), "models": ["demo:terse"] });
        let answers = join_all((0..30).map(|_| submit(&client, &key, &body))).await;
        let accepted: BTreeSet<String> = answers
            .iter()
            .filter(|answer| answer.status == 202)
            .map(|answer| answer.json()["request_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(accepted.len(), 1, "{accepted:?}");
        for refused in answers.iter().filter(|answer| answer.status != 202) {
            assert_eq!(refused.status, 409, "{}", refused.body);
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(refused.json()["type"], "urn:wordhoard:problem:idempotency-key-in-flight");
        }
        assert_eq!(stored(&client).await, round + 1);
    }
}

#[tokio::test]
async fn a_refused_body_does_not_use_its_key_up() {
    let (_home, server) = start("");
    let client = server.client();
    let refused = submit(&client, "k", &json!({ "prompt": "" })).await;
    assert_eq!(refused.status, 400);
    let body = json!({ "prompt": "better [demo tokens=1]", "models": ["demo:terse"] });
    let accepted = submit(&client, "k", &body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
}

/// While SQL hangs a key is what this server knows of it, and nobody waits for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_counts_on_its_server_while_sql_hangs() {
    let cluster = Postgres::start().await;
    let (_home, server) = start(&format!("database_url = {:?}", cluster.url()));
    let client = server.client();
    let body = json!({ "prompt": "once [demo tokens=5 rate=0]", "models": ["demo:terse"] });
    let before = submit(&client, "before", &body).await.json();
    cluster.freeze();
    for key in ["one", "two"] {
        let asked = Instant::now();
        let first = submit(&client, key, &body).await;
        assert_eq!(first.status, 202, "{}", first.body);
        println!("accepted after {:?} without SQL", asked.elapsed());
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
        assert_eq!(submit(&client, key, &body).await.json(), first.json());
        let other = json!({ "prompt": "twice", "models": ["demo:terse"] });
        assert_eq!(submit(&client, key, &other).await.status, 422);
    }
    cluster.thaw();
    assert_eq!(submit(&client, "before", &body).await.json(), before);
}
