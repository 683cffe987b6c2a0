use serde_json::{Value, json};
use wordhoard_testkit::provider::expected_tokens;
use wordhoard_testkit::server::ServerHome;

use super::Front;
use crate::raw_http::{Raw, send};
use crate::security::make_key;
use crate::{EXE, ONE_CALL};

pub(super) async fn post(front: &Front, path: &str, body: &str, headers: &[(&str, &str)]) -> Raw {
    let client = front.server.client();
    let mut request = client.http().post(client.url(path)).body(body.to_owned());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

pub(super) fn question(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 100, "messages": [{ "role": "user", "content": "hi" }] })
}

/// What is wrong is told in the shape of the dialect, and nothing is recorded of it.
#[tokio::test]
async fn bad_requests_are_told_in_the_shape_of_their_dialect() {
    let front = Front::open("");
    let good = question("gemini:ok-20");
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    for (body, headers, status, field) in [
        ("{".to_owned(), &[][..], 400, None),
        ("[]".to_owned(), &[], 400, None),
        (good.to_string(), &[("content-type", "text/plain")], 415, Some("Content-Type")),
        (with("model", Value::Null), &[], 400, Some("model")),
        (with("model", json!("nobody:x")), &[], 404, Some("model")),
        (with("messages", json!([])), &[], 400, Some("messages")),
        (with("messages", json!([{ "role": "user", "content": 1 }])), &[], 400, Some("messages[0].content")),
        (with("max_tokens", json!(0)), &[], 400, Some("max_tokens")),
        (with("temperature", json!("hot")), &[], 400, Some("temperature")),
        (with("tools", json!([{}])), &[], 400, Some("tools[0]")),
        (good.to_string(), &[("idempotency-key", "")], 400, Some("Idempotency-Key")),
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let answer = post(&front, path, &body, headers).await;
            assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
            let told = answer.json();
            let error = &told["error"];
            assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{told}");
            if path.ends_with("messages") {
                assert_eq!(told["type"], "error", "{told}");
            } else {
                assert_eq!(error["param"].as_str(), field, "{body}: {told}");
                assert!(error["type"].is_string() && error["code"].is_string(), "{told}");
            }
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    let listed = front.server.client().get("/api/llm/requests").await.unwrap().body;
    assert_eq!(listed["requests"], json!([]), "something was recorded");
}

/// The same key and body are the same request, in the drop-in APIs too.
#[tokio::test]
async fn a_repeated_call_with_its_key_is_one_request() {
    let front = Front::open("");
    let body = question("openai:ok-20").to_string();
    let key = [("idempotency-key", "once")];
    let first = post(&front, "/v1/chat/completions", &body, &key).await;
    let second = post(&front, "/v1/chat/completions", &body, &key).await;
    assert_eq!((first.status, second.status), (200, 200), "{}", second.body);
    let id = first.header("x-wordhoard-request-id").unwrap();
    assert_eq!(second.header("x-wordhoard-request-id"), Some(id));
    assert_eq!(front.mock.calls().len(), 1);
    assert_eq!(second.json()["choices"][0]["message"]["content"], expected_tokens("ok-20", "hi").concat());
    let other = post(&front, "/v1/chat/completions", &question("openai:ok").to_string(), &key).await;
    assert_eq!((other.status, other.json()["error"]["code"].as_str()), (400, Some("idempotency_key_reused")));
}

/// A fallback answers for a stream that broke: where it repeats what was told, the client sees one answer; where it says
/// something else, a clear error; and a client that waits for the whole gets the other answer.
#[tokio::test]
async fn a_fallback_behind_a_told_beginning_repeats_it_unseen_or_is_an_error() {
    for (stand_in, is_repeated) in [("ok-20", true), ("differs-20", false)] {
        let front = Front::open(&format!(
            "[fallback]\nqueue = [\"openai_responses:{stand_in}\"]\njitter = [\"0ms\", \"0ms\"]\n"
        ));
        let mut body = question("openai:cut-after-7");
        let whole = post(&front, "/v1/chat/completions", &body.to_string(), &[]).await;
        assert_eq!(
            whole.json()["choices"][0]["message"]["content"],
            expected_tokens(stand_in, "hi").concat(),
            "{}",
            whole.body
        );
        body["stream"] = true.into();
        let client = front.server.client();
        let request = client.http().post(client.url("/v1/chat/completions"));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let mut response = request.send().await.unwrap();
        let mut told = Vec::new();
        let is_whole = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => told.extend_from_slice(&bytes),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let told = String::from_utf8(told).unwrap();
        assert_eq!((is_whole, told.contains("[DONE]")), (is_repeated, is_repeated), "{told}");
        assert_eq!(told.contains("begins otherwise"), !is_repeated, "{told}");
        let text: String = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        let told_tokens = if is_repeated { "ok-20" } else { "ok-7" };
        assert_eq!(text, expected_tokens(told_tokens, "hi").concat());
    }
}

/// A server that wants keys takes them as either client gives them.
#[tokio::test]
async fn keys_are_taken_as_the_clients_give_them() {
    let home = ServerHome::new(EXE, &["require_keys = true\n", ONE_CALL].concat()).unwrap();
    let key = make_key(&home, "use");
    let server = home.start().unwrap();
    let client = server.client();
    let body = question("demo:terse").to_string();
    let call = async |path: &str, header: &str, value: String| {
        let request = client.http().post(client.url(path)).header("content-type", "application/json");
        send(request.header(header, value).body(body.clone())).await
    };
    assert_eq!(call("/v1/chat/completions", "authorization", format!("Bearer {key}")).await.status, 200);
    assert_eq!(call("/v1/messages", "x-api-key", key.clone()).await.status, 200);
    let refused = call("/v1/messages", "x-api-key", "wrong".into()).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (401, &"authentication_error".into()));
    let refused = call("/v1/chat/completions", "authorization", "Bearer wrong".into()).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (401, &"invalid_api_key".into()));
}

/// A server that stops tells those who have no answer yet, and breaks off those who have a part of one.
#[tokio::test]
async fn a_stop_is_told_to_who_waits_and_breaks_off_who_reads() {
    let home = ServerHome::new(EXE, "drain_timeout = \"300ms\"").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let mut body = question("demo:brisk");
    body["messages"][0]["content"] = "[demo tokens=400 rate=20]".into();
    let request = |path: &str, body: &Value| {
        let request = client.http().post(client.url(path)).header("content-type", "application/json");
        request.body(body.to_string())
    };
    let whole = send(request("/v1/chat/completions", &body));
    body["stream"] = true.into();
    let mut stream = request("/v1/messages", &body).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let reading = async {
        loop {
            match stream.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        }
    };
    let stopping = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        server.terminate().unwrap();
    };
    let (whole, is_whole, ()) = tokio::join!(whole, reading, stopping);
    assert_eq!((whole.status, whole.header("retry-after")), (503, Some("5")), "{}", whole.body);
    assert!(!is_whole, "the stream ended in an orderly way");
}
