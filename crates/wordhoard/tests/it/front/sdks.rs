use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wordhoard_model::RequestId;
use wordhoard_testkit::provider::expected_tokens;
use wordhoard_testkit::test_venv;

use super::{DIALECTS, Front};

const ADMIN_KEY: &str = "an administrator's key of a good length";
const PROMPT: &str = "why do foxes jump";

/// A client's script, in the language that its name says.
fn client(script: &str) -> Command {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = if script.ends_with(".py") {
        Command::new(test_venv().unwrap().join("bin/python"))
    } else {
        let mut node = Command::new("node");
        node.env("NODE_PATH", crate_dir.join("../../target/test-node/node_modules"));
        node
    };
    command.arg(crate_dir.join("tests/it/front").join(script));
    command
}

/// Runs a script with a real client, and gives the ids of the requests that it made.
fn run(script: &str, front: &Front) -> Vec<String> {
    let plan = json!({
        "url": front.server.base_url(), "providers": DIALECTS, "prompt": PROMPT,
        "expected": expected_tokens("ok-20", PROMPT).concat(),
    });
    carry_out(script, &plan)
}

/// Runs a script with a real client, which fails where its plan does, and gives the ids that it printed.
pub(crate) fn carry_out(script: &str, plan: &Value) -> Vec<String> {
    let output = client(script).arg(plan.to_string()).output();
    let output = output.unwrap_or_else(|error| panic!("{script}: {error}; run scripts/install-test-deps.sh"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    // Some clients print words of their own.
    let ids = said(&output.stdout);
    ids.lines().filter(|line| line.parse::<RequestId>().is_ok()).map(str::to_owned).collect()
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
    let with_history = front
        .mock
        .calls()
        .into_iter()
        .find(|call| call.body["messages"].as_array().is_some_and(|messages| messages.len() == 3));
    let messages = with_history.unwrap().body["messages"].clone();
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[1]["content"], expected_tokens("ok-20", PROMPT).concat());
}

#[test]
fn openais_python_client_goes_on_without_a_gap_after_kill_9_of_the_server() {
    let Front { mock: _mock, home, server } = Front::open("");
    let mut child = client("resuming_client.py")
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

/// What keys may not do comes as the exceptions that the clients have for it, and a client that leaves is noticed.
#[tokio::test]
async fn the_clients_of_keys_get_their_exceptions_and_are_missed_when_they_leave() {
    let mut home = Front::home("require_keys = true\n[drop_in]\nclient_gone_grace = \"500ms\"\n");
    home.1.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let (mock, home) = home;
    let server = home.start().unwrap();
    let admin = server.client().with_key(ADMIN_KEY).unwrap();
    let make = async |limits: Value| {
        let made = admin.post("/api/admin/keys", &json!({ "scope": "use", "limits": limits })).await.unwrap();
        made.body["key"].as_str().unwrap().to_owned()
    };
    let plan = json!({
        "url": server.base_url(), "prompt": PROMPT, "free": make(json!({})).await,
        "one_a_minute": [
            make(json!({ "requests_per_minute": 1 })).await, make(json!({ "requests_per_minute": 1 })).await,
        ],
        "one_model": make(json!({ "models": ["openai:ok-20"] })).await,
    });
    let left = carry_out("keys_client.py", &plan);
    assert_eq!(left.len(), 2);
    // Whoever asks for them follows them.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for id in left {
        assert_eq!(admin.wait_for_end(&id).await.unwrap()["status"], "cancelled");
    }
    assert!(mock.calls().iter().filter(|call| call.model == "rate-2").all(|call| call.aborted_by_peer));
}

#[tokio::test]
async fn langchain_and_litellm_get_their_answers_whatever_stands_behind() {
    let front = Front::open("");
    let ids = run("frameworks.py", &front);
    assert_recorded(&front, &ids).await;
}

#[tokio::test]
async fn nodes_clients_get_their_answers_whatever_stands_behind() {
    let front = Front::open("");
    let ids = run("node_clients.cjs", &front);
    assert_recorded(&front, &ids).await;
}

#[tokio::test]
async fn an_event_source_that_is_cut_and_meets_a_restart_sees_every_event_once_and_stops_at_the_end() {
    let Front { mock: _mock, mut home, server } = Front::open("");
    home.listen_on(server.base_url().strip_prefix("http://").unwrap().parse().unwrap());
    let id = server.client().submit(PROMPT, &["openai:slow-tokens-30-100"]).await.unwrap();
    let url = server.client().url(&format!("/api/llm/stream/{id}"));
    let mut child = client("event_source.cjs").args([&url, "9"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().expect("the client has ended").unwrap();
    assert_eq!(line(), "half-way");
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    assert_eq!(server.client().url(&format!("/api/llm/stream/{id}")), url);
    let told: Value = serde_json::from_str(&line()).unwrap();
    let whole = server.client().wait_for_end(&id).await.unwrap();
    assert_eq!(told["events"], whole["event_count"]);
    assert!(child.wait().unwrap().success());
}
