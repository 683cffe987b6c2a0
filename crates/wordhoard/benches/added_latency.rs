//! What the server adds to a token's way: 200 streams at 100 tokens/s each, through the server and, in the same run,
//! straight from the provider. Provider, server and readers share the machine.
//!
//! Every token carries the provider's clock at its sending; the readers compare it with theirs at its arrival.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::server::{ServerHome, ServerProcess};
use wordhoard_wire::{Dialect, Limits};

const STREAMS: usize = 200;
const RATE: u64 = 100;
const TOKENS: u64 = 1_500;
const EXE: &str = env!("CARGO_BIN_EXE_wordhoard");

struct Provider(Child, String);

impl Provider {
    fn start() -> Self {
        let exe = Path::new(EXE).with_file_name("mock-provider");
        assert!(exe.exists(), "{} is not built: run this by `make bench`", exe.display());
        let mut child = Command::new(exe).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Microseconds since the provider sent a token, by the token's own text.
fn age_micros(text: &str) -> u64 {
    let sent: u128 = text.split(':').next().unwrap().parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    u64::try_from(now.saturating_sub(sent) / 1000).unwrap()
}

async fn read_directly(url: String) -> Vec<u64> {
    let body = format!(
        "{{\"model\":\"paced-{TOKENS}x{RATE}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}"
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        http.post(format!("{url}/chat/completions")).header("content-type", "application/json").body(body);
    let mut response = request.send().await.unwrap();
    let mut decoder = Dialect::OpenAiChat.stream_decoder(Limits::default());
    let (mut ages, mut deltas) = (Vec::new(), Vec::new());
    while let Some(bytes) = response.chunk().await.unwrap() {
        decoder.push(&bytes, &mut deltas).unwrap();
        ages.extend(deltas.drain(..).map(|delta| age_micros(&delta.text)));
    }
    ages
}

async fn read_through_server(client: Client) -> Vec<u64> {
    let id = client.submit("bench", &[&format!("mock:paced-{TOKENS}x{RATE}")]).await.unwrap();
    let mut stream = client.follow(&id, None).await.unwrap();
    let mut ages = Vec::new();
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) if event.name == "token" => {
                ages.push(age_micros(event.data["text"].as_str().unwrap()));
            }
            Next::Event(event) if event.name == "request.finished" => {
                assert_eq!(event.data["status"], "completed");
            }
            Next::Event(_) => {}
            Next::Ended => return ages,
            Next::Broken => panic!("a stream broke"),
        }
    }
}

/// Runs all streams and gives the sorted ages of all tokens.
async fn run(name: &str, mut streams: JoinSet<Vec<u64>>) -> Vec<u64> {
    let started = Instant::now();
    let mut ages = Vec::new();
    while let Some(one) = streams.join_next().await {
        let one = one.unwrap();
        assert_eq!(one.len() as u64, TOKENS, "a stream lost tokens");
        ages.extend(one);
    }
    let due = Duration::from_secs(TOKENS / RATE);
    ages.sort_unstable();
    println!(
        "{name:<16} {:>8} tokens in {:>5.1} s ({:>5.1} s is their pace)   p50 {:>6.2} ms   p99 {:>6.2} ms   max {:>6.1} ms",
        ages.len(),
        started.elapsed().as_secs_f64(),
        due.as_secs_f64(),
        millis(&ages, 50),
        millis(&ages, 99),
        millis(&ages, 100),
    );
    ages
}

fn millis(sorted: &[u64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100] as f64 / 1000.0
}

async fn highest_resident(server: &ServerProcess) -> u64 {
    let mut highest = 0;
    loop {
        highest = highest.max(server.resident_bytes().unwrap());
        HIGHEST.store(highest, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

static HIGHEST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("{STREAMS} streams, {RATE} tokens/s each, durability = \"local\"");
    let provider = Provider::start();
    let config = format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true",
        provider.1
    );
    let home = ServerHome::new(EXE, &config).unwrap();
    let server = home.start().unwrap();
    let client = server.client();

    let mut direct = JoinSet::new();
    (0..STREAMS).for_each(|_| drop(direct.spawn(read_directly(provider.1.clone()))));
    let direct = run("straight", direct).await;

    let mut through = JoinSet::new();
    (0..STREAMS).for_each(|_| drop(through.spawn(read_through_server(client.clone()))));
    let through = tokio::select! {
        through = run("through server", through) => through,
        _ = highest_resident(&server) => unreachable!("it never ends"),
    };
    let added = |percent| millis(&through, percent) - millis(&direct, percent);
    println!("added: p50 {:.2} ms (limit 3), p99 {:.2} ms (limit 25)", added(50), added(99));
    let resident = HIGHEST.load(std::sync::atomic::Ordering::Relaxed);
    println!("resident memory of the server: {} MiB at most (limit 100)", resident >> 20);
    let health = client.get("/api/health").await.unwrap().body;
    println!(
        "log commits: {}, events not yet in SQL: {}",
        health["services"]["storage"]["commits"], health["buffer_len"]
    );
}
