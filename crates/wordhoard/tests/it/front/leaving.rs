use std::time::Duration;

use serde_json::{Value, json};

use super::Front;
use super::errors::question;

/// How the client asks that then leaves.
#[derive(Clone, Copy)]
enum Asking {
    Chat,
    ChatWithKey,
    Response,
    BackgroundResponse,
}

/// Begins a stream of ten seconds, reads some of it and leaves. The request's id.
async fn ask_and_leave(front: &Front, asking: Asking) -> String {
    let client = front.server.client();
    let (path, mut body) = match asking {
        Asking::Chat | Asking::ChatWithKey => ("/v1/chat/completions", question("openai:rate-2")),
        Asking::Response | Asking::BackgroundResponse => {
            ("/v1/responses", json!({ "model": "openai:rate-2", "input": "hi" }))
        }
    };
    body["stream"] = true.into();
    if matches!(asking, Asking::BackgroundResponse) {
        body["background"] = true.into();
    }
    let mut request = client
        .http()
        .post(client.url(path))
        .header("content-type", "application/json")
        .body(body.to_string());
    if matches!(asking, Asking::ChatWithKey) {
        request = request.header("idempotency-key", "mine");
    }
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.chunk().await.unwrap().unwrap();
    response.headers()["x-wordhoard-request-id"].to_str().unwrap().to_owned()
}

async fn status_of(front: &Front, id: &str) -> Value {
    front.server.client().get(&format!("/api/llm/requests/{id}")).await.unwrap().body["status"].clone()
}

/// A client that has left is waited for. Then its request is cancelled, so that nobody pays for what nobody reads; but for
/// those that mean to come back, or are read by somebody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_its_client_has_left_is_cancelled_unless_somebody_means_to_come_back() {
    let front = Front::open("[drop_in]\nclient_gone_grace = \"1s\"\n");
    let mut ids = Vec::new();
    for asking in
        [Asking::Chat, Asking::Response, Asking::ChatWithKey, Asking::BackgroundResponse, Asking::Chat]
    {
        ids.push(ask_and_leave(&front, asking).await);
    }
    let client = front.server.client();
    let _reader = client.follow(&ids[4], None).await.unwrap();
    // A client that waits for the whole can leave as well.
    let whole = client
        .http()
        .post(client.url("/v1/messages"))
        .header("content-type", "application/json")
        .body(question("openai:rate-2").to_string());
    assert!(tokio::time::timeout(Duration::from_millis(300), whole.send()).await.is_err(), "it was answered");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut states = Vec::new();
    for id in &ids {
        states.push(status_of(&front, id).await);
    }
    assert_eq!(states, ["cancelled", "cancelled", "running", "running", "running"]);
    let listed = client.get("/api/llm/requests?status=cancelled").await.unwrap().body;
    assert_eq!(listed["requests"].as_array().map(Vec::len), Some(3), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_on_without_its_client_where_the_configuration_says_so() {
    let front = Front::open("[drop_in]\nclient_gone = \"continue\"\n");
    let id = ask_and_leave(&front, Asking::Chat).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status_of(&front, &id).await, "running");
}
