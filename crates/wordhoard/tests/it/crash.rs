//! `kill -9` at random moments under load: what any client saw is there afterwards, everywhere, once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::provider::{MisbehavingProvider, expected_tokens};
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::full_disk::caught_up;
use crate::ledger::{Dump, Ledger};
use crate::seed::{Random, setting};

/// Streams that are followed in each life of the server; those that earlier lives left open run besides.
const STREAMS: usize = 8;
/// Lives between two looks at the whole log, which takes the longer the longer the log is.
const DUMP_EVERY: u64 = 10;

struct Followed {
    id: String,
    prompt: String,
    ledger: Ledger,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_that_anyone_saw() {
    let cycles = setting("WORDHOARD_CRASH_CYCLES").unwrap_or(40);
    let mut random = Random::from_environment("kill_9_loses_nothing_that_anyone_saw");
    let provider = MisbehavingProvider::start().unwrap();
    let config = format!(
        "limits = {{ wal_segment = \"1MiB\" }}\n[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true",
        provider.base_url()
    );
    let home = ServerHome::new(EXE, &config).unwrap();
    let mut all: Vec<Followed> = Vec::new();
    let mut checked = 0;
    for cycle in 0..cycles {
        let server = home.start().unwrap();
        let client = server.client();
        check(&home, &client, &all[checked..]).await;
        if cycle % DUMP_EVERY == 0 {
            check_dump(&home, &all);
        }
        checked = all.len();
        for stream in 0..STREAMS {
            all.push(submit(&client, cycle, stream, &mut random).await);
        }
        let life = Duration::from_millis(20 + random.below(500));
        let following = all[checked..].iter_mut().map(|one| one.ledger.follow(&client, &one.id));
        let crash = async {
            tokio::time::sleep(life).await;
            server.kill_9().unwrap();
        };
        tokio::join!(join_all(following), crash);
    }
    let server = home.start().unwrap();
    let client = server.client();
    check(&home, &client, &all[checked..]).await;
    let seen: usize = all.iter().map(|one| one.ledger.seen.len()).sum();
    assert!(seen > 10 * all.len(), "only {seen} events were seen in {cycles} lives: this test tests nothing");
    for one in &mut all {
        finish(&client, one).await;
    }
    // What was followed to its end just now may come into SQL a second later.
    caught_up(&client).await;
    check(&home, &client, &all).await;
    check_dump(&home, &all);
    println!("{cycles} crashes, {} requests, {seen} events seen before a crash", all.len());
}

async fn submit(client: &Client, cycle: u64, stream: usize, random: &mut Random) -> Followed {
    let (tokens, rate) = (20 + random.below(400), 50 + random.below(1_000));
    let prompt = format!("crash {cycle}, stream {stream} [demo tokens={tokens} rate={rate}]");
    let real = format!("mock:ok-{tokens}");
    let paced = format!("mock:rate-{rate}");
    let models: &[&str] = match random.below(4) {
        0 => &["demo:brisk"],
        1 => &["demo:brisk", "demo:bard", "demo:thoughtful"],
        2 => &[&paced],
        _ => &["demo:bard", &real, &paced],
    };
    let id = client.submit(&prompt, models).await.unwrap();
    Followed { id, prompt, ledger: Ledger::default() }
}

/// The whole log as `wal dump` prints it, against everything that was ever seen.
fn check_dump(home: &ServerHome, followed: &[Followed]) {
    let dump = Dump::read(&home.data_dir());
    for one in followed {
        one.ledger.check_dump(&dump, &one.id);
    }
}

/// The places in which what was seen must be found by a client: resume, the document; and SQLite.
async fn check(home: &ServerHome, client: &Client, followed: &[Followed]) {
    check_health(client).await;
    let path = home.data_dir().join("wordhoard.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    for one in followed {
        one.ledger.check_stream(client, &one.id).await;
        one.ledger.check_document(client, &one.id).await;
        one.ledger.check_sqlite(&database, &one.id);
    }
}

/// The server applies what a crash left before it is ready; nothing seen before the crash can be missing by now.
async fn check_health(client: &Client) {
    let health = client.get("/api/health").await.unwrap().body;
    assert_eq!(health["db_ok"], true, "{health}");
    assert_eq!(health["services"]["storage"]["conflicts"], 0, "{health}");
    assert_eq!(health["services"]["storage"]["quarantined"], 0, "{health}");
}

/// Follows to the end, from behind what was seen; then the whole must make sense.
async fn finish(client: &Client, one: &mut Followed) {
    assert!(one.ledger.follow(client, &one.id).await, "{}: no end", one.id);
    let mut token_index: std::collections::HashMap<u64, Vec<&Value>> = std::collections::HashMap::new();
    for event in &one.ledger.seen {
        let attempt = event.data["attempt_seq"].as_u64().unwrap_or_default();
        match event.name.as_str() {
            "token" => {
                let of_attempt = token_index.entry(attempt).or_default();
                assert_eq!(event.data["token_index"], of_attempt.len(), "{}: token_index", one.id);
                of_attempt.push(&event.data);
            }
            "attempt.finished" => {
                let tokens = token_index.remove(&attempt).unwrap_or_default();
                assert_eq!(event.data["token_count"], tokens.len());
                check_whole_answer(one, &event.data, &tokens);
            }
            _ => {}
        }
    }
    assert!(token_index.is_empty(), "{}: tokens of an attempt without end", one.id);
}

/// A completed attempt of the mock has exactly the tokens that it sends.
fn check_whole_answer(one: &Followed, finished: &Value, tokens: &[&Value]) {
    let model = finished["model"].as_str().unwrap();
    if let Some(model) = model.strip_prefix("mock:")
        && finished["status"] == "completed"
    {
        let got: Vec<_> = tokens.iter().map(|token| token["text"].as_str().unwrap()).collect();
        assert_eq!(got, expected_tokens(model, &one.prompt), "{}: {model}", one.id);
    }
}
