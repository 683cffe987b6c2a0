use std::time::{Duration, Instant};

use serde_json::json;
use wordhoard_testkit::client::{Client, Next, SeenEvent};
use wordhoard_testkit::provider::MisbehavingProvider;

use super::{mock_table, start};

async fn cancel(client: &Client, id: &str) -> (u16, serde_json::Value) {
    let answer = client.post(&format!("/api/llm/requests/{id}/cancel"), &json!({})).await.unwrap();
    (answer.status, answer.body)
}

/// Reads until each attempt that stalls has brought the tokens that come before.
async fn read_tokens(client: &Client, id: &str, count: usize) -> Vec<SeenEvent> {
    let mut stream = client.follow(id, None).await.unwrap();
    let mut seen: Vec<SeenEvent> = Vec::new();
    while seen.iter().filter(|event| event.name == "token").count() < count {
        match stream.next().await.unwrap() {
            Next::Event(event) => seen.push(event),
            ended => panic!("{ended:?}"),
        }
    }
    seen
}

#[tokio::test]
async fn cancelling_closes_the_connections_to_providers_and_is_recorded() {
    let mock = MisbehavingProvider::start().unwrap();
    let (home, server) = start(&mock_table(&mock.base_url()));
    let client = server.client();
    let models = ["mock:stall-after-3", "mock:ok-5", "mock:never-answers"];
    let id = client.submit("stop", &models).await.unwrap();
    let seen = read_tokens(&client, &id, 8).await;
    while mock.calls().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    let (status, body) = cancel(&client, &id).await;
    assert_eq!((status, &body), (200, &json!({ "request_id": id, "status": "cancelled" })));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let whole = client.read_to_end(&id, None).await.unwrap();
    assert_eq!(whole[..seen.len()], seen[..]);
    let ends = whole.iter().filter(|event| event.name == "attempt.finished");
    let mut ends: Vec<_> = ends
        .map(|end| {
            let text = |field: &str| end.data[field].as_str().unwrap().to_owned();
            (text("model"), text("status"), end.data["token_count"].as_u64().unwrap())
        })
        .collect();
    ends.sort_unstable();
    let expected = [
        ("mock:never-answers", "cancelled", 0),
        ("mock:ok-5", "completed", 5),
        ("mock:stall-after-3", "cancelled", 3),
    ];
    assert_eq!(ends, expected.map(|(model, status, count)| (model.to_owned(), status.to_owned(), count)));
    let end = &whole[whole.len() - 1];
    assert_eq!((end.name.as_str(), end.data["status"].as_str()), ("request.finished", Some("cancelled")));
    assert_eq!(end.data["lanes_completed"], 1);
    let deadline = Instant::now() + Duration::from_secs(10);
    let aborted = || {
        let calls = mock.calls().into_iter().filter(|call| call.aborted_by_peer);
        let mut models: Vec<String> = calls.map(|call| call.model).collect();
        models.sort_unstable();
        models
    };
    while aborted() != ["never-answers", "stall-after-3"] {
        assert!(Instant::now() < deadline, "a connection is still open: {:?}", mock.calls());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It does not run again after a crash, and stays cancelled.
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    assert_eq!(server.client().read_to_end(&id, None).await.unwrap(), whole);
    assert_eq!(cancel(&server.client(), &id).await.1["status"], "cancelled");
    assert_eq!(mock.calls().len(), 3);
}

#[tokio::test]
async fn what_has_ended_stays_as_it_ended_and_what_is_unknown_is_404() {
    let (_home, server) = start("");
    let client = server.client();
    for (prompt, model, ended) in [
        ("[demo tokens=3 rate=0]", "demo:terse", "completed"),
        ("[flaky unauthorized]", "demo:flaky", "failed"),
    ] {
        let id = client.submit(prompt, &[model]).await.unwrap();
        let before = client.read_to_end(&id, None).await.unwrap();
        assert_eq!(cancel(&client, &id).await, (200, json!({ "request_id": id, "status": ended })));
        assert_eq!(client.read_to_end(&id, None).await.unwrap(), before);
    }
    let (status, body) = cancel(&client, "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11").await;
    assert_eq!((status, body["type"].as_str()), (404, Some("urn:wordhoard:problem:no-such-request")));
}

#[tokio::test]
async fn many_cancels_at_once_agree() {
    let mock = MisbehavingProvider::start().unwrap();
    let (_home, server) = start(&mock_table(&mock.base_url()));
    let client = server.client();
    let id = client.submit("stop", &["mock:stall-after-3"]).await.unwrap();
    read_tokens(&client, &id, 3).await;
    let answers = futures_util::future::join_all((0..20).map(|_| cancel(&client, &id))).await;
    for answer in answers {
        assert_eq!(answer, (200, json!({ "request_id": id, "status": "cancelled" })));
    }
    // created, started, 3 tokens, finished, finished: nothing is recorded twice.
    assert_eq!(client.read_to_end(&id, None).await.unwrap().len(), 7);
}
