use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::provider::expected_tokens;

use super::Front;
use super::errors::question;

/// How the client asks that then leaves.
#[derive(Clone, Copy)]
enum Asking {
    Chat,
    /// It asks something else, for who asks the same again is given the first answer.
    AnotherChat,
    ChatWithKey,
    Response,
    BackgroundResponse,
}

/// Begins a stream of ten seconds, reads some of it and leaves. The request's id.
async fn ask_and_leave(front: &Front, asking: Asking) -> String {
    let client = front.server.client();
    let (path, mut body) = match asking {
        Asking::Chat | Asking::AnotherChat | Asking::ChatWithKey => {
            ("/v1/chat/completions", question("openai:rate-2"))
        }
        Asking::Response | Asking::BackgroundResponse => {
            ("/v1/responses", json!({ "model": "openai:rate-2", "input": "hi" }))
        }
    };
    body["stream"] = true.into();
    if matches!(asking, Asking::AnotherChat) {
        body["user"] = "another".into();
    }
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
        [Asking::Chat, Asking::Response, Asking::ChatWithKey, Asking::BackgroundResponse, Asking::AnotherChat]
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

/// Sends the body of a stream and reads the beginning of the answer.
async fn begin(front: &Front, path: &str, body: &Value) -> reqwest::Response {
    let client = front.server.client();
    let request = client.http().post(client.url(path)).header("content-type", "application/json");
    let mut response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    // The answer's first words, behind events that say only that it begins.
    let mut seen = String::new();
    while !seen.contains("#0") {
        seen.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
    response
}

fn id_of(response: &reqwest::Response) -> String {
    response.headers()["x-wordhoard-request-id"].to_str().unwrap().to_owned()
}

/// The three APIs, each with a question to that model.
fn questions(model: &str) -> [(&'static str, Value); 3] {
    let mut asked = question(model);
    asked["stream"] = true.into();
    [
        ("/v1/chat/completions", asked.clone()),
        ("/v1/messages", asked),
        ("/v1/responses", json!({ "model": model, "input": "hi", "stream": true })),
    ]
}

/// The text of a stream of any of the three.
fn text_of(stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let delta = |event: Value| -> Option<String> {
        let text = match event["type"].as_str() {
            Some("response.output_text.delta") => &event["delta"],
            Some(_) => &event["delta"]["text"],
            None => &event["choices"][0]["delta"]["content"],
        };
        text.as_str().map(str::to_owned)
    };
    events.filter_map(delta).collect()
}

/// Who was cut off and asks the same again gets the answer of the first call, whole. Nobody else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_after_a_cut_gets_the_first_answer_and_only_he() {
    let front = Front::open("");
    for (path, body) in questions("openai:slow-tokens-60-40") {
        let calls = front.mock.calls().len();
        let cut = begin(&front, path, &body).await;
        let id = id_of(&cut);
        let beside = begin(&front, path, &body).await;
        assert_ne!(id_of(&beside), id, "{path}: its first client is still there");
        drop(cut);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut other = body.clone();
        other["user"] = "someone".into();
        assert_ne!(id_of(&begin(&front, path, &other).await), id, "{path}: it asks something else");
        let again = begin(&front, path, &body).await;
        let another = begin(&front, path, &body).await;
        assert_eq!(id_of(&again), id, "{path}");
        assert_ne!(id_of(&another), id, "{path}: an answer is given to one client only");
        let told = again.text().await.unwrap();
        let whole = front.server.client().wait_for_end(&id).await.unwrap();
        assert_eq!(whole["status"], "completed", "{path}");
        let expected = expected_tokens("ok-60", "hi").concat();
        assert_eq!(whole["lanes"][0]["text"], expected, "{path}");
        assert!(expected.ends_with(&text_of(&told)) && told.len() > 100, "{path}: {told}");
        // The first, the one beside, the other question, and the one behind.
        assert_eq!(front.mock.calls().len() - calls, 4, "{path}");
    }
}

/// The same across a crash; though the second call said something else than the first, the client gets one answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_after_kill_9_pays_one_more_call_and_gets_one_answer() {
    for (then, expected) in [("slow-tokens-60-40", "ok-60"), ("differs-20", "differs-20")] {
        for (path, body) in questions(&format!("openai:seq:slow-tokens-60-40|{then}")) {
            let mut front = Front::open("");
            let cut = begin(&front, path, &body).await;
            let id = id_of(&cut);
            front.server.kill_9().unwrap();
            drop(cut);
            front.server = front.home.start().unwrap();
            let client = front.server.client();
            let request = client.http().post(client.url(path)).header("content-type", "application/json");
            let again = request.body(body.to_string()).send().await.unwrap();
            assert_eq!((again.status().as_u16(), id_of(&again)), (200, id), "{path} {then}");
            let told = again.text().await.unwrap();
            assert_eq!(text_of(&told), expected_tokens(expected, "hi").concat(), "{path} {then}: {told}");
            assert_eq!(front.mock.calls().len(), 2, "{path} {then}");
        }
    }
}

/// Nobody who only asks how a request stands keeps it going; and after a restart its client has the same time to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_its_client_is_cancelled_after_a_restart_and_while_it_is_looked_at_too() {
    let mut front = Front::open("[drop_in]\nclient_gone_grace = \"1s\"\n");
    let id = ask_and_leave(&front, Asking::Chat).await;
    front.server.kill_9().unwrap();
    front.server = front.home.start().unwrap();
    for _ in 0..25 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        status_of(&front, &id).await;
    }
    assert_eq!(status_of(&front, &id).await, "cancelled");
}
