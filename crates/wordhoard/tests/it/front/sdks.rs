use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wordhoard_testkit::provider::expected_tokens;

use super::{DIALECTS, Front};

const PROMPT: &str = "why do foxes jump";

/// Runs a script with a real client, and gives the ids of the requests that it made.
fn run(script: &str, front: &Front) -> Vec<String> {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = crate_dir.join("../../target/test-venv/bin/python");
    let plan = json!({
        "url": front.server.base_url(), "providers": DIALECTS, "prompt": PROMPT,
        "expected": expected_tokens("ok-20", PROMPT).concat(),
    });
    let output = Command::new(&python)
        .arg(crate_dir.join("tests/it/front").join(script))
        .arg(plan.to_string())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/install-test-deps.sh", python.display()));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout).lines().map(str::to_owned).collect()
}

/// What the client got is in the native API, under the id that its answer had.
async fn assert_recorded(front: &Front, ids: &[String]) {
    assert!(ids.len() >= DIALECTS.len(), "{ids:?}");
    let client = front.server.client();
    for id in ids {
        let whole = client.wait_for_end(id).await.unwrap();
        assert_eq!((&whole["status"], &whole["prompt"]), (&"completed".into(), &PROMPT.into()), "{whole:#}");
        assert_eq!(whole["lanes"][0]["text"], expected_tokens("ok-20", PROMPT).concat());
    }
    let list = client.get("/api/llm/requests?limit=500").await.unwrap().body;
    let listed: Vec<_> = list["requests"].as_array().unwrap().iter().map(|one| &one["request_id"]).collect();
    assert!(ids.iter().all(|id| listed.contains(&&Value::from(id.as_str()))));
}

#[tokio::test]
async fn openais_python_client_gets_its_answers_whatever_stands_behind() {
    let front = Front::open("[aliases]\nfast = \"openai:ok-20\"\n");
    let ids = run("openai_client.py", &front);
    assert_recorded(&front, &ids).await;
    assert!(front.mock.calls().len() > 20);
}

#[tokio::test]
async fn anthropics_python_client_gets_its_answers_whatever_stands_behind() {
    let front = Front::open("");
    let ids = run("anthropic_client.py", &front);
    assert_recorded(&front, &ids).await;
    assert!(front.mock.calls().len() > 20);
}

#[tokio::test]
async fn openais_python_client_gets_its_responses_and_resumes_them_behind_any_event() {
    let front = Front::open("");
    let ids = run("responses_client.py", &front);
    assert_recorded(&front, &ids).await;
    // An earlier response is put before a later one: what it was asked, what it answered, and the new question.
    let with_history = front.mock.calls().into_iter().find(|call| {
        call.body["messages"].as_array().is_some_and(|messages| messages.len() == 3)
    });
    let messages = with_history.unwrap().body["messages"].clone();
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[1]["content"], expected_tokens("ok-20", PROMPT).concat());
}

#[test]
fn openais_python_client_goes_on_without_a_gap_after_kill_9_of_the_server() {
    let Front { mock: _mock, home, server } = Front::open("");
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(crate_dir.join("../../target/test-venv/bin/python"))
        .arg(crate_dir.join("tests/it/front/resuming_client.py"))
        .args(["openai:slow-tokens-60-50", PROMPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(output).lines();
    let mut line = || lines.next().expect("the client has ended").unwrap();
    writeln!(input, "{}", server.base_url()).unwrap();
    assert_eq!(line(), "streaming");
    server.kill_9().unwrap();
    let seen: Value = serde_json::from_str(&line()).unwrap();
    assert!((12..60).contains(&seen["seen"].as_u64().unwrap()), "{seen}");
    let server = home.start().unwrap();
    writeln!(input, "{}", server.base_url()).unwrap();
    let told: Value = serde_json::from_str(&line()).unwrap();
    assert_eq!(told["text"], expected_tokens("ok-60", PROMPT).concat());
    assert!(child.wait().unwrap().success());
}
