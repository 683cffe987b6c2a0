use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::test_venv;

const PATIENCE: Duration = Duration::from_secs(30);

/// A collector; ended when dropped.
pub struct Collector {
    child: Child,
    port: u64,
    lines: mpsc::Receiver<Value>,
}

impl Collector {
    pub fn start() -> Self {
        let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(test_venv().unwrap().join("bin/python"))
            .arg(crate_dir.join("tests/it/traces/collector.py"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                drop(sender.send(serde_json::from_str(&line).unwrap()));
            }
        });
        let first: Value = lines.recv_timeout(PATIENCE).expect("the collector did not start");
        Self { child, port: first["port"].as_u64().unwrap(), lines }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The spans that come until there are so many.
    pub fn spans(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut spans = Vec::new();
        while spans.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(span) => spans.push(span),
                Err(_) => panic!("only these came: {spans:#?}"),
            }
        }
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
