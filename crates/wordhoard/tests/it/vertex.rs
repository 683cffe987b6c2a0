//! Vertex AI: Gemini's dialect with tokens of Google's in the place of a key.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::json;
use wordhoard_testkit::provider::{Dialect, MisbehavingProvider, expected_tokens};
use wordhoard_testkit::server::ServerHome;

use crate::EXE;

const TOKEN: &str = "ya29.canary-of-a-token";

/// Where a service account gets its tokens; counts them.
fn token_endpoint() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let given = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&given);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            // The head and the body may come apart.
            while !String::from_utf8_lossy(&request).contains("assertion=") {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0, "no signed assertion came");
                request.extend_from_slice(&piece[..read]);
            }
            counter.fetch_add(1, Ordering::Relaxed);
            let body = json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
            write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    (url, given)
}

#[tokio::test]
async fn vertex_is_called_with_a_token_that_is_fetched_once_and_never_shown() {
    let mock = MisbehavingProvider::start().unwrap();
    let (token_uri, given) = token_endpoint();
    let folder = tempfile::tempdir().unwrap();
    let account = folder.path().join("account.json");
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let account_json = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": key.serialize_pem(),
        "client_email": "wordhoard@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_uri,
    });
    std::fs::write(&account, account_json.to_string()).unwrap();
    let place = "projects/p/locations/europe-west4/publishers/google";
    let config = format!(
        "[[providers]]\nname = \"vertex_ai\"\ndialect = \"gemini\"\nauth = \"google\"\nbase_url = \"{}/{place}\"\n\
         allow_private = true\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    home.set_environment("GOOGLE_APPLICATION_CREDENTIALS", account.to_str().unwrap());
    let mut server = home.start().unwrap();
    let client = server.client();
    for _ in 0..2 {
        let id = client.submit("to Vertex", &["vertex_ai:ok-20"]).await.unwrap();
        let whole = client.wait_for_end(&id).await.unwrap();
        assert_eq!(whole["lanes"][0]["text"], expected_tokens("ok-20", "to Vertex").concat(), "{whole:#}");
    }
    let calls = mock.calls();
    assert_eq!((calls.len(), given.load(Ordering::Relaxed)), (2, 1));
    assert_eq!(calls[0].dialect, Dialect::Gemini);
    assert_eq!(calls[0].path, format!("/v1/{place}/models/ok-20:streamGenerateContent?alt=sse"));
    assert_eq!(calls[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(calls[0].header("x-goog-api-key"), None);
    server.terminate().unwrap();
    server.wait(std::time::Duration::from_secs(30)).unwrap();
    assert!(!server.output().unwrap().contains("canary"), "the token is in the log");
}

#[tokio::test]
async fn without_credentials_the_caller_hears_that_none_can_be_had() {
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "[[providers]]\nname = \"vertex_ai\"\ndialect = \"gemini\"\nauth = \"google\"\nbase_url = {:?}\n\
         allow_private = true\n[retry]\nmax = 0\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    home.set_environment("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/account.json");
    let server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("to Vertex", &["vertex_ai:ok-20"]).await.unwrap();
    let whole = client.wait_for_end(&id).await.unwrap();
    let error = &whole["lanes"][0]["attempts"][0]["error"];
    assert_eq!(error["class"], "unauthorized", "{whole:#}");
    assert!(error["message"].as_str().unwrap().contains("no token of Google's can be had"), "{error}");
    assert!(mock.calls().is_empty());
}
