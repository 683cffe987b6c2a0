use std::fs;
use std::path::Path;

use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::provider_table;
use crate::raw_http::get;
use crate::{EXE, ONE_CALL};

const KEY: &str = "sk-canary.0123456789abcdefXYZ";
/// A part of it that would give it away.
const PART: &str = "0123456789abc";

/// Whether any file below a folder has these bytes.
fn found_below(dir: &Path, bytes: &[u8]) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = found_below(&path, bytes) {
                return Some(found);
            }
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            return Some(path);
        }
    }
    None
}

#[tokio::test]
async fn a_key_that_the_provider_says_back_shows_nowhere() {
    let mock = MisbehavingProvider::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let config = format!(
        "{}api_key_file = {key_file:?}\n[aliases]\necho = \"mock:echo-key\"\n{ONE_CALL}",
        provider_table("mock", &mock.base_url())
    );
    let home = ServerHome::new(EXE, &config).unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("what is my key", &["echo", "mock:ok"]).await.unwrap();
    let whole = client.wait_for_end(&id).await.unwrap();
    let call = mock.calls().into_iter().find(|call| call.model == "echo-key").unwrap();
    assert_eq!(call.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let error = &whole["lanes"][0]["attempts"][0]["error"];
    assert_eq!(error["class"], "unauthorized");
    // The rest of what it said is kept, so this is a message that had the key.
    assert!(error["message"].as_str().unwrap().contains("Incorrect API key provided"), "{error}");
    let mut shown = Vec::new();
    for path in [
        format!("/api/llm/stream/{id}"),
        format!("/api/llm/requests/{id}"),
        "/api/llm/requests".to_owned(),
        "/api/health".to_owned(),
        "/openapi.json".to_owned(),
    ] {
        let answer = get(&client, &path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        shown.push((path, format!("{:?} {}", answer.headers, answer.body)));
    }
    server.terminate().unwrap();
    assert!(server.wait(std::time::Duration::from_secs(20)).unwrap().success());
    let log = fs::read_to_string(home.config_path().with_file_name("server.log")).unwrap();
    assert!(log.contains("attempt finished"), "this is no log: {log}");
    shown.push(("the log".to_owned(), log));
    for (place, text) in shown {
        assert!(!text.contains(PART), "{place}: {text}");
    }
    assert_eq!(found_below(&home.data_dir(), PART.as_bytes()), None);
    // The search does find what is there.
    assert!(found_below(&home.data_dir(), b"Incorrect API key provided").is_some());
}
