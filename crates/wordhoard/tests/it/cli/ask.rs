use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

use super::{command, failure, run, success, told};
use crate::{EXE, ONE_CALL};

/// The newest request, whole.
async fn newest(client: &Client) -> Value {
    let list = client.get("/api/llm/requests?limit=1").await.unwrap().body;
    let id = list["requests"][0]["request_id"].as_str().unwrap().to_owned();
    client.wait_for_end(&id).await.unwrap()
}

fn ask(server: &str, arguments: &[&str]) -> Output {
    run(Path::new("/"), &[&["ask", "--server", server], arguments].concat())
}

#[tokio::test]
async fn answers_are_piped_one_after_the_other() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    // The first is the slower one, so its text would come in pieces if they were not kept apart.
    let models = ["-m", "demo:brisk", "-m", "demo:terse", "--model", "demo:thoughtful"];
    let prompt = "one by one [demo tokens=40 rate=200]";
    let out = success(&ask(server.base_url(), &[&[prompt], &models[..]].concat()));
    let whole = newest(&server.client()).await;
    let mut expected = Vec::new();
    for lane in whole["lanes"].as_array().unwrap() {
        expected.push(format!(
            "## {}\n\n{}\n",
            lane["model"].as_str().unwrap(),
            lane["text"].as_str().unwrap()
        ));
    }
    assert_eq!((out, expected.len()), (expected.join("\n"), 3));
}

#[tokio::test]
async fn options_reach_the_prompt_and_what_is_piped_in_too() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let arguments = [
        "ask",
        "sum up",
        "--server",
        server.base_url(),
        "-m",
        "demo:terse",
        "-s",
        "be brief",
        "--max-tokens",
        "3",
        "--temperature",
        "0.5",
    ];
    let mut child = command(Path::new("/"), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("the notes\nare here\n".as_bytes()).unwrap();
    success(&child.wait_with_output().unwrap());
    let whole = newest(&server.client()).await;
    assert_eq!(whole["prompt"], "sum up\n\nthe notes\nare here");
    assert_eq!(whole["system_message"], "be brief");
    assert_eq!(whole["parameters"], serde_json::json!({ "max_tokens": 3, "temperature": 0.5 }));
    assert_eq!(whole["token_count"], 3);
}

#[tokio::test]
async fn a_lane_that_fails_is_told_and_makes_it_1() {
    let home = ServerHome::new(EXE, ONE_CALL).unwrap();
    let server = home.start().unwrap();
    let models = ["-m", "demo:flaky", "-m", "demo:terse"];
    for (mode, said) in [("error-500", "flaky failed"), ("cut after=4", "broke in mid-answer")] {
        let prompt = format!("[flaky {mode}] [demo tokens=5 rate=0]");
        let (code, out, err) = told(&ask(server.base_url(), &[&[&*prompt], &models[..]].concat()));
        assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
        assert!(
            out.starts_with("## demo:flaky\n") && out.contains("[failed: ") && out.contains(said),
            "{out}"
        );
        let whole = newest(&server.client()).await;
        for lane in 0..2 {
            assert!(out.contains(whole["lanes"][lane]["text"].as_str().unwrap()), "lane {lane}: {out}");
        }
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_words() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let err = failure(&ask(server.base_url(), &["  "]), 1);
    assert_eq!(err, "wordhoard: prompt is empty or only white space\n");
    let err = failure(&ask(server.base_url(), &["x", "-m", "demo:genius"]), 1);
    assert!(err.contains("models[0]") && err.contains("brisk"), "{err}");
}

#[test]
fn without_a_server_it_says_how_to_get_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let err = failure(&ask(&format!("http://{free}"), &["x"]), 1);
    assert!(
        err.contains(&format!("cannot reach a server at http://{free}")) && err.contains("--local"),
        "{err}"
    );
}

#[test]
fn locally_it_needs_nothing_and_records_like_a_server() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let out = success(&run(
            folder.path(),
            &["ask", "hello [demo tokens=9 rate=0]", "--local", "-m", "demo:terse"],
        ));
        let text = out.strip_prefix("## demo:terse\n\n").unwrap().strip_suffix('\n').unwrap();
        let dump = success(&run(folder.path(), &["wal", "dump", "--tokens"]));
        let tokens: Vec<Value> = dump.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(tokens.len(), 9 * round);
        let last = tokens[9 * (round - 1)..].iter().map(|token| token["t"].as_str().unwrap());
        assert_eq!(last.collect::<String>(), text);
    }
    assert!(success(&run(folder.path(), &["wal", "verify"])).contains("intact"));
    let made: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["data"]);
    let err = failure(&run(folder.path(), &["ask", " ", "--local"]), 1);
    assert!(err.contains("prompt is empty"), "{err}");
    let (code, ..) = told(&run(folder.path(), &["ask", "[flaky not-found]", "--local", "-m", "demo:flaky"]));
    assert_eq!(code, Some(1));
}

/// A server on an address of our choice, killed when dropped.
struct Serving(Child);

impl Serving {
    fn start(folder: &Path, address: &str) -> Self {
        let arguments = ["serve", "--listen", address, "--config", "c.toml"];
        let serving = Self(command(folder, &arguments).stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the server does not serve");
            std::thread::sleep(Duration::from_millis(10));
        }
        serving
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn an_answer_is_followed_over_a_crash_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "").unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let server = format!("http://{address}");
    let serving = Serving::start(folder.path(), &address);
    let prompt = "go on [demo tokens=60 rate=40]";
    let arguments = ["ask", prompt, "--server", &server, "-m", "demo:brisk", "-m", "demo:bard"];
    let child =
        command(folder.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let client = Client::new(&server);
    let mut tokens = 0;
    while tokens < 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let list = client.get("/api/llm/requests").await.unwrap().body;
        if let Some(id) = list["requests"][0]["request_id"].as_str() {
            let whole = client.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
            tokens = whole["token_count"].as_u64().unwrap();
        }
    }
    drop(serving);
    let _serving = Serving::start(folder.path(), &address);
    let (code, out, err) = told(&child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    // The first client's connection went with the first server.
    let whole = newest(&Client::new(&server)).await;
    assert_eq!(whole["status"], "completed");
    for lane in whole["lanes"].as_array().unwrap() {
        let (model, text) = (lane["model"].as_str().unwrap(), lane["text"].as_str().unwrap());
        assert_eq!(out.matches(&format!("## {model}\n")).count(), 1, "{out}");
        assert!(out.contains(text), "the answer of {model} is not whole: {text:?} in {out:?}");
    }
}

#[tokio::test]
async fn a_lane_whose_model_fails_shows_the_answer_of_its_fallback_and_is_0() {
    let config = "[fallback]\nqueue = [\"demo:terse\"]\njitter = [\"0ms\", \"0ms\"]\n";
    let home = ServerHome::new(EXE, &[config, ONE_CALL].concat()).unwrap();
    let server = home.start().unwrap();
    // Of a cut answer the fallback makes the rest.
    for mode in ["error-500", "cut after=4"] {
        let prompt = format!("[flaky {mode}] [demo tokens=5 rate=0]");
        let (code, out, err) =
            told(&ask(server.base_url(), &[&prompt, "-m", "demo:flaky", "-m", "demo:brisk"]));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        let whole = newest(&server.client()).await;
        for lane in 0..2 {
            assert!(out.contains(whole["lanes"][lane]["text"].as_str().unwrap()), "lane {lane}: {out}");
        }
    }
}
