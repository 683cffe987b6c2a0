use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::{command, failure, run, success, told};
use crate::EXE;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server has recorded.
struct Recorded {
    home: ServerHome,
    data_dir: String,
    ids: Vec<String>,
}

/// A running server with two requests that have ended.
async fn record(tokens: usize) -> (Recorded, ServerProcess) {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let mut ids = Vec::new();
    for number in 0..2 {
        let prompt = format!("dump {number} [demo tokens={tokens} rate=0]");
        let id = client.submit(&prompt, &["demo:terse", "demo:bard"]).await.unwrap();
        client.wait_for_end(&id).await.unwrap();
        ids.push(id);
    }
    let data_dir = home.data_dir().to_str().unwrap().to_owned();
    (Recorded { home, data_dir, ids }, server)
}

impl Recorded {
    fn wal(&self, arguments: &[&str]) -> Output {
        let (name, rest) = arguments.split_first().unwrap();
        let all = [&["wal", name, "--data-dir", &self.data_dir], rest].concat();
        run(self.home.config_path().parent().unwrap(), &all)
    }

    fn dump(&self, arguments: &[&str]) -> Vec<Value> {
        lines(&success(&self.wal(&[&["dump"], arguments].concat())))
    }

    fn first_segment(&self) -> PathBuf {
        let dir = fs::read_dir(self.home.data_dir().join("tokens.wal")).unwrap();
        let files = dir.map(|entry| entry.unwrap().path());
        // Those reserved ahead have no records.
        let segments = success(&self.wal(&["verify"]));
        files.filter(|path| segments.contains(path.file_name().unwrap().to_str().unwrap())).min().unwrap()
    }
}

fn stop(mut server: ServerProcess) {
    server.terminate().unwrap();
    assert!(server.wait(PATIENCE).unwrap().success());
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn fields(line: &Value) -> BTreeSet<&str> {
    line.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_dump_beside_a_running_server_has_every_event() {
    let (recorded, server) = record(30).await;
    let dump = recorded.dump(&[]);
    for id in &recorded.ids {
        let events = server.client().read_to_end(id, None).await.unwrap();
        let dumped: Vec<&Value> = dump.iter().filter(|line| line["r"] == **id).collect();
        assert_eq!(dumped.len(), events.len());
        for (line, event) in dumped.iter().zip(&events) {
            if event.name == "token" {
                assert_eq!(fields(line), BTreeSet::from(["r", "a", "i", "m", "t", "ts"]));
                let data = &event.data;
                let pairs =
                    [("a", "attempt_seq"), ("i", "token_index"), ("m", "model"), ("t", "text"), ("ts", "ts")];
                for (short, long) in pairs {
                    assert_eq!(line[short], data[long], "{line}");
                }
                // RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z.
                let ts = line["ts"].as_str().unwrap();
                assert!(ts.len() == 24 && ts.as_bytes()[19] == b'.' && ts.ends_with('Z'), "{ts}");
                ts.parse::<jiff::Timestamp>().unwrap();
            } else {
                assert_eq!(fields(line), BTreeSet::from(["r", "event", "data"]));
                assert_eq!((line["event"].as_str(), &line["data"]), (Some(&*event.name), &event.data));
            }
        }
    }
    assert_eq!(dump.iter().filter(|line| line["t"].is_string()).count(), 120);
}

#[tokio::test]
async fn a_dump_can_be_narrowed_and_placed() {
    let (recorded, _server) = record(10).await;
    let (all, id) = (recorded.dump(&[]), recorded.ids[1].as_str());
    let is_token = |line: &&Value| line["event"].is_null();
    let of_id = |line: &&Value| line["r"] == id;
    let narrowed = recorded.dump(&["--request", id]);
    assert!(narrowed.iter().eq(all.iter().filter(of_id)) && narrowed.len() == 26, "{narrowed:?}");
    let tokens = recorded.dump(&["--tokens"]);
    assert!(tokens.iter().eq(all.iter().filter(is_token)) && tokens.len() == 40, "{tokens:?}");
    let both = recorded.dump(&["--tokens", "--request", id]);
    assert!(both.iter().eq(all.iter().filter(of_id).filter(is_token)) && both.len() == 20, "{both:?}");
    let placed = recorded.dump(&["--positions", "--request", id]);
    let seqs: Vec<u64> = placed.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (0..26).collect::<Vec<_>>());
    let positions: Vec<u64> = placed.iter().map(|line| line["position"].as_u64().unwrap()).collect();
    // The tokens of a frame stand in one record.
    assert!(positions.is_sorted(), "{positions:?}");
    assert!(recorded.dump(&["--request", "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11"]).is_empty());
}

#[tokio::test]
async fn whoever_reads_only_the_head_of_a_dump_is_no_failure() {
    // Far more than a pipe holds.
    let (recorded, _server) = record(2_000).await;
    let folder = recorded.home.config_path();
    let mut command = command(folder.parent().unwrap(), &["wal", "dump", "--data-dir", &recorded.data_dir]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(lines(&first)[0]["event"], "request.created");
    let status = child.wait().unwrap();
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn an_intact_log_verifies_while_the_server_runs_after_it_stopped_and_after_it_crashed() {
    let (recorded, server) = record(30).await;
    assert!(success(&recorded.wal(&["verify"])).ends_with("intact\n"));
    stop(server);
    let out = success(&recorded.wal(&["verify"]));
    assert!(out.ends_with("intact\n") && out.contains("sealed"), "{out}");
    let server = recorded.home.start().unwrap();
    server.client().submit("x [demo tokens=50 rate=100]", &["demo:brisk"]).await.unwrap();
    server.kill_9().unwrap();
    assert!(success(&recorded.wal(&["verify"])).ends_with("intact\n"));
}

#[tokio::test]
async fn a_flipped_bit_in_an_early_batch_is_damage_and_the_rest_is_still_dumped() {
    let (recorded, server) = record(30).await;
    stop(server);
    let before = recorded.dump(&["--positions"]);
    let segment = recorded.first_segment();
    let mut bytes = fs::read(&segment).unwrap();
    // The first batch stands behind a header of 4 KiB, its records behind 48 bytes more.
    bytes[4096 + 48 + 20] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let (code, out, err) = told(&recorded.wal(&["verify"]));
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    assert!(out.contains("DAMAGED") && !out.contains("intact\n"), "{out}");
    let (code, out, err) = told(&recorded.wal(&["dump"]));
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let after = lines(&out);
    let damaged: Vec<_> = after.iter().filter(|line| line.get("damaged").is_some()).collect();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!(damaged[0]["damaged"]["from"], 0);
    // The records behind the damage are all there. A token whose attempt's start is lost has no model any more.
    let lost = damaged[0]["damaged"]["to"].as_u64();
    let before: Vec<_> = before.iter().filter(|line| line["position"].as_u64() >= lost).collect();
    let rest: Vec<_> = after.iter().filter(|line| line.get("damaged").is_none()).collect();
    assert!(!rest.is_empty() && rest.len() == before.len(), "{} of {}", rest.len(), before.len());
    for (line, was) in rest.into_iter().zip(before) {
        assert_eq!((&line["r"], &line["i"], &line["t"]), (&was["r"], &was["i"], &was["t"]));
    }
    assert_eq!(fs::read(&segment).unwrap(), bytes, "looking at a log changed it");
}

#[test]
fn a_folder_without_a_log_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["dump", "verify"] {
        let err = failure(&run(folder.path(), &["wal", name]), 1);
        assert!(err.contains("data has no log") && err.contains("--data-dir"), "{err}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    let (recorded, server) = record(5).await;
    let config = recorded.home.config_path();
    let folder = config.parent().unwrap();
    let err = failure(&run(folder, &["ask", "x", "--local", "--data-dir", &recorded.data_dir]), 1);
    assert!(err.contains("lock is locked by process") && err.contains("leave --local out"), "{err}");
    let second = run(folder, &["serve", "--listen", "127.0.0.1:0", "--data-dir", &recorded.data_dir]);
    let err = failure(&second, 1);
    assert!(err.contains("lock is locked by process"), "{err}");
    // The first one goes on.
    let client = server.client();
    let id = client.submit("still there [demo tokens=1]", &["demo:terse"]).await.unwrap();
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let (_recorded, server) = record(1).await;
    let folder = tempfile::tempdir().unwrap();
    let taken = server.base_url().strip_prefix("http://").unwrap();
    let (code, _, err) = told(&run(folder.path(), &["serve", "--listen", taken]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains(&format!("cannot listen on {taken}")), "{err}");
}
