//! The same dialect on both sides: a client gets what the provider sent, now and from the record.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::Front;
use super::errors::post;
use crate::{EXE, ONE_CALL};

/// Each dialect with the folder of its recordings and the place where it is asked.
const DIALECTS: [(&str, &str, &str); 3] = [
    ("openai", "openai_chat", "/v1/chat/completions"),
    ("openai_responses", "openai_responses", "/v1/responses"),
    ("anthropic", "anthropic", "/v1/messages"),
];

fn recordings(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wordhoard-wire/tests/fixtures").join(folder);
    let is_whole = |path: &PathBuf| {
        let outcome = std::fs::read_to_string(path.with_extension("out")).unwrap();
        path.extension().unwrap() == "sse" && outcome.contains("completed ")
    };
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().unwrap() != "out")
        .filter(is_whole)
        .filter(|path| has_events(path))
        .collect();
    paths.sort();
    paths
}

/// A provider that plays the recording which the model names, as `FOLDER/FILE`.
fn player() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(|stream| play(stream.unwrap())));
    url
}

fn play(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wordhoard-wire/tests/fixtures");
    let recording = std::fs::read(folder.join(body["model"].as_str().unwrap())).unwrap();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        recording.len()
    )
    .unwrap();
    stream.write_all(&recording).unwrap();
}

/// The names and the data of the events of a stream.
fn events(stream: &str) -> Vec<(Option<String>, String)> {
    let plain = stream.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let event = |block: &str| {
        let field = |name: &str| {
            let values: Vec<&str> = block
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.strip_prefix(' ').unwrap_or(value))
                .collect();
            (!values.is_empty()).then(|| values.join("\n"))
        };
        Some((field("event"), field("data")?))
    };
    plain.split("\n\n").filter_map(event).collect()
}

/// Whether it is of events of its dialect; a client of that gets other ones in the place of what is none.
fn has_events(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    !name.ends_with("_where_a_stream_was_due") && name != "message_in_the_stream"
}

/// Compares what a client got with what its provider sent.
fn assert_same(dialect: &str, told: &str, provider: &str, recording: &Path) {
    let (told, mut provider) = (events(told), events(provider));
    match dialect {
        "openai" => {
            provider.retain(|(_, data)| data != "[DONE]");
            provider.push((None, "[DONE]".to_owned()));
            assert_eq!(told, provider, "{recording:?}");
        }
        "anthropic" => {
            assert_eq!(told[..provider.len()], provider, "{recording:?}");
            assert_eq!(told.last().unwrap().0.as_deref(), Some("message_stop"));
        }
        _ => {
            let json = |(_, data): &(Option<String>, String)| serde_json::from_str::<Value>(data).unwrap();
            let told: Vec<Value> = told.iter().map(json).collect();
            let numbers: Vec<u64> =
                told.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
            assert_eq!(numbers, (0..told.len() as u64).collect::<Vec<_>>(), "{recording:?}");
            let is_opening = |event: &Value| {
                matches!(event["type"].as_str(), Some("response.created" | "response.in_progress"))
            };
            let provider = provider.iter().filter(|(_, data)| data != "[DONE]").map(json);
            let provider: Vec<Value> = provider.filter(|event| !is_opening(event)).collect();
            assert_eq!(told.len(), provider.len() + 2, "{recording:?}");
            for (told, mut sent) in told[2..].iter().zip(provider) {
                sent["sequence_number"] = told["sequence_number"].clone();
                let Some(response) = sent.get("response") else {
                    assert_eq!(*told, sent, "{recording:?}");
                    continue;
                };
                assert_eq!(told["response"]["id"], numbers_id(&told["response"]));
                for (name, value) in response.as_object().unwrap() {
                    let is_ours =
                        name == "id" || (name == "output" && (value.is_null() || *value == json!([])));
                    assert!(is_ours || told["response"][name] == *value, "{recording:?}: {name}");
                }
            }
        }
    }
}

/// A response's id is that of its request.
fn numbers_id(response: &Value) -> Value {
    assert!(response["id"].as_str().unwrap().starts_with("resp_01"), "{response}");
    response["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_what_its_provider_sent_and_gets_it_again_after_kill_9() {
    let url = player();
    let provider = |(dialect, ..): &(&str, &str, &str)| {
        format!(
            "[[providers]]\nname = {dialect:?}\ndialect = {dialect:?}\nbase_url = {url:?}\nallow_private = true\n"
        )
    };
    let providers: String = DIALECTS.iter().map(provider).collect();
    let home = ServerHome::new(EXE, &[&providers, "[fallback]\nqueue = []\n", ONE_CALL].concat()).unwrap();
    let server = home.start().unwrap();
    let mut front = Front { mock: MisbehavingProvider::start().unwrap(), home, server };
    let mut answers = Vec::new();
    for (dialect, folder, path) in DIALECTS {
        for recording in recordings(folder) {
            let model = format!("{dialect}:{folder}/{}", recording.file_name().unwrap().to_str().unwrap());
            let question = json!([{"role": "user", "content": "hi"}]);
            let mut body = json!({"model": model, "stream": true});
            body[if path == "/v1/responses" { "input" } else { "messages" }] = question;
            match dialect {
                "openai" => body["stream_options"] = json!({"include_usage": true}),
                "anthropic" => body["max_tokens"] = json!(100),
                _ => {}
            }
            let (body, key) = (body.to_string(), [("idempotency-key", model.as_str())]);
            let told = post(&front, path, &body, &key).await;
            assert_eq!(told.status, 200, "{recording:?}: {}", told.body);
            let sent = String::from_utf8(std::fs::read(&recording).unwrap()).unwrap();
            assert_same(dialect, &told.body, &sent, &recording);
            answers.push((path, model.clone(), body, told.body));
        }
    }
    assert!(answers.len() > 30, "{}", answers.len());
    front.server.kill_9().unwrap();
    front.server = front.home.start().unwrap();
    for (path, key, body, told) in &answers {
        let again = post(&front, path, body, &[("idempotency-key", key)]).await;
        assert_eq!(again.body, *told, "{key}");
        // And whole, from the same record.
        let id = again.header("x-wordhoard-request-id").unwrap();
        let whole = front.server.client().get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
        assert_eq!(whole["status"], "completed", "{whole}");
    }
    let check = front.home.run(&["check", "--full"]).unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}
