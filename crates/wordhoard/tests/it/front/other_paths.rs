//! Paths under `/v1` that this server knows nothing of: they reach the provider that gets them as they came, with its key, and
//! what it answers comes back without our secrets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use wordhoard_testkit::server::ServerHome;

use crate::{EXE, ONE_CALL};

const KEY: &str = "sk-canary-0123456789abcdef";

#[derive(Clone, Debug, PartialEq)]
struct Got {
    call: String,
    authorization: String,
    content_type: String,
    body: Bytes,
}

type All = Arc<Mutex<Vec<Got>>>;

#[allow(clippy::disallowed_methods, reason = "it ends with its test")]
async fn provider() -> (String, All) {
    let all = All::default();
    let answer = async |State(all): State<All>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let header = |name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        all.lock().unwrap().push(Got {
            call: format!("{method} {uri}"),
            authorization: header("authorization"),
            content_type: header("content-type"),
            body,
        });
        let own =
            [("content-type", "application/json"), ("openai-organization", "ours"), ("x-request-id", "r-1")];
        match uri.path().ends_with("refused") {
            true => (StatusCode::UNAUTHORIZED, own, format!("{{\"error\":\"no such key: {KEY}\"}}"))
                .into_response(),
            false => (StatusCode::CREATED, own, "{\"id\":\"file-1\"}").into_response(),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&all));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/v1"), all)
}

#[tokio::test]
async fn they_go_to_the_provider_that_gets_them() {
    let (base_url, all) = provider().await;
    let config = format!(
        "[[providers]]\nname = \"mine\"\ndialect = \"openai\"\nbase_url = {base_url:?}\napi_key_env = \"MINE\"\nallow_private = true\n\
         [drop_in]\nother_paths = \"mine\"\n{ONE_CALL}"
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    home.set_environment("MINE", KEY);
    let server = home.start().unwrap();
    let client = server.client();
    let form = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nwords\r\n--b--\r\n";
    let sent = client
        .http()
        .post(client.url("/v1/files?purpose=batch"))
        .header("content-type", "multipart/form-data; boundary=b");
    let answered = sent.body(form).send().await.unwrap();
    assert_eq!(answered.status().as_u16(), 201);
    assert_eq!(answered.headers()["x-request-id"], "r-1");
    assert!(!answered.headers().contains_key("openai-organization"), "{:?}", answered.headers());
    assert_eq!(answered.text().await.unwrap(), "{\"id\":\"file-1\"}");
    let got = Got {
        call: "POST /v1/files?purpose=batch".into(),
        authorization: format!("Bearer {KEY}"),
        content_type: "multipart/form-data; boundary=b".into(),
        body: form.into(),
    };
    assert_eq!(*all.lock().unwrap(), [got]);
    let refused = client.http().delete(client.url("/v1/batches/refused")).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let told = refused.text().await.unwrap();
    assert!(told.contains("no such key") && !told.contains(KEY), "{told}");
    // A name that may mean another path goes nowhere.
    let odd = client.http().get(client.url("/v1/files/a%2Fadmin")).send().await.unwrap();
    assert_eq!(odd.status().as_u16(), 404);
    assert_eq!(all.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_provider_for_them_there_is_nothing() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let answered = client.http().get(client.url("/v1/files")).send().await.unwrap();
    assert_eq!(answered.status().as_u16(), 404);
    let told = answered.text().await.unwrap();
    assert!(told.contains("drop_in.other_paths") && told.contains("\"error\""), "{told}");
}

#[test]
fn a_provider_that_is_none_is_named() {
    let home = ServerHome::new(EXE, "[drop_in]\nother_paths = \"nobody\"\n").unwrap();
    let checked = std::process::Command::new(EXE)
        .args(["config", "check", "--config"])
        .arg(home.config_path())
        .output();
    let checked = checked.unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.code() == Some(2) && told.contains("drop_in.other_paths"), "{told}");
}
