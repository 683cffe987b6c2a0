use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

/// The process, killed and reaped when the test ends in whatever way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts the process and gives the address of its URL.
fn start() -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mock-provider")).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v1"));
    let address = address.unwrap().to_owned();
    (Running(child), address)
}

fn ask(address: &str, model: &str) -> String {
    let body =
        format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"a b"}}]}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    write!(stream, "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"0\r\n\r\n") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the answer is cut");
        answer.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_process_tells_its_url_and_answers_there() {
    let (_running, address) = start();
    let answer = ask(&address, "ok-2");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for piece in ["\"content\":\"a#0 \"", "\"content\":\"b#1 \"", "data: [DONE]\n\n"] {
        assert!(answer.contains(piece), "{piece} is missing: {answer}");
    }
}

#[test]
fn paced_tokens_carry_the_clock_and_come_at_their_rate() {
    let (_running, address) = start();
    let answer = ask(&address, "paced-20x100");
    let stamps: Vec<(u128, u64)> = answer
        .split("\"content\":\"")
        .filter_map(|rest| rest.split_once(" \"")?.0.split_once(':'))
        .map(|(nanos, index)| (nanos.parse().unwrap(), index.parse().unwrap()))
        .collect();
    assert_eq!(stamps.iter().map(|(_, index)| *index).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    #[expect(clippy::disallowed_methods, reason = "the stamps are of the system's clock")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    assert!(now.abs_diff(stamps[19].0) < 10_000_000_000);
    // 19 gaps of 10 ms; a busy machine may take longer, but none may be skipped.
    let took_ms = (stamps[19].0 - stamps[0].0) / 1_000_000;
    assert!((170..3_000).contains(&took_ms), "{took_ms} ms");
}
