//! The lines that operators count on.

use serde_json::Value;
use wordhoard_testkit::server::ServerHome;

use crate::{EXE, ONE_CALL};

#[tokio::test]
async fn every_attempt_and_every_request_that_ended_has_one_line() {
    let home = ServerHome::new(EXE, ONE_CALL).unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let prompt = "canary-of-a-prompt [demo tokens=12 rate=0] [flaky error-500]";
    let id = client.submit(prompt, &["demo:terse", "demo:flaky"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    server.terminate().unwrap();
    assert!(server.wait(std::time::Duration::from_secs(30)).unwrap().success());
    let log = server.log().unwrap();
    let lines = |message: &str| log.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let mut attempts = lines("attempt finished");
    attempts.sort_by_key(|line| line["lane"].as_u64());
    let [whole, broken] = attempts[..] else { panic!("{attempts:#?}") };
    let fields =
        |line: &Value, names: &[&str]| names.iter().map(|name| line[*name].clone()).collect::<Vec<_>>();
    let which = ["request_id", "lane", "provider", "model", "outcome", "tokens"];
    assert_eq!(
        fields(whole, &which),
        serde_json::json!([id, 0, "demo", "terse", "completed", 12]).as_array().unwrap()[..]
    );
    for field in ["attempt_seq", "input_tokens", "output_tokens", "first_token_ms", "duration_ms"] {
        assert!(whole[field].is_u64(), "{field}: {whole}");
    }
    assert_eq!((&whole["finish_reason"], &whole["level"]), (&"stop".into(), &"INFO".into()));
    assert_eq!(
        fields(broken, &["model", "outcome", "failure", "provider_status"]),
        serde_json::json!(["flaky", "failed", "provider_error", 500]).as_array().unwrap()[..]
    );
    assert!(broken["reason"].is_string(), "{broken}");
    let [finished] = lines("request finished")[..] else { panic!("{log:#?}") };
    assert_eq!(
        fields(finished, &["request_id", "outcome", "lanes", "lanes_completed", "attempts", "tokens"]),
        serde_json::json!([id, "failed", 2, 1, 2, 12]).as_array().unwrap()[..]
    );
    assert!(!server.output().unwrap().contains("canary"), "a prompt is in the log");
}
