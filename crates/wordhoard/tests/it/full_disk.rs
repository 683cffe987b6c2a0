//! The disk of the data directory fills up: nothing is acknowledged that is not recorded, and once there is space again
//! it goes on by itself.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::ledger::Ledger;
use crate::seed::setting;

const PATIENCE: Duration = Duration::from_secs(30);
/// How soon after space has come back everything is as before.
const RECOVERY: Duration = Duration::from_secs(5);

fn home(disk_bytes: u64) -> ServerHome {
    let config = "limits = { wal_segment = \"4MiB\", disk_reserve = \"8MiB\" }";
    ServerHome::on_small_disk(EXE, config, disk_bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_prompts_are_refused_and_running_streams_go_on() {
    let home = home(48 << 20);
    let server = home.start().unwrap();
    let client = server.client();
    let submit = || client.submit("on a small disk [demo tokens=500 rate=50]", &["demo:brisk"]);
    let ids: Vec<_> = join_all((0..5).map(|_| submit())).await.into_iter().map(Result::unwrap).collect();
    let mut ledgers: Vec<_> = ids.iter().map(|_| Ledger::default()).collect();
    let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&client, id)));
    let (ended, ()) = tokio::join!(follow, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        home.disk().unwrap().fill().unwrap();
        let filled = Instant::now();
        is_refused(&client).await;
        println!("refused {:?} after the disk was full", filled.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(client.get("/readyz").await.unwrap().status, 503);
        assert_eq!(client.get("/api/health").await.unwrap().body["services"]["storage"]["state"], "full");
        home.disk().unwrap().free().unwrap();
        is_taken_again(&client).await;
    });
    assert!(ended.iter().all(|ended| *ended), "a stream was broken: {ended:?}");
    for (ledger, id) in ledgers.iter().zip(&ids) {
        assert_eq!(
            (ledger.tokens().count(), ledger.seen.last().unwrap().data["status"].as_str()),
            (500, Some("completed"))
        );
        ledger.check_stream(&client, id).await;
    }
    caught_up(&client).await;
    let checked = home.run(&["check", "--full"]).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// Streams that go on until there is no space at all: they end with an error, and what they have shown is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_not_even_running_streams_have_space_they_are_told_and_lose_nothing() {
    // Once freed it has room for the whole flood, in the log and in SQL: where it had not, it would rightly stay full.
    let home = home(256 << 20);
    let server = home.start().unwrap();
    let client = server.client();
    let submit = || client.submit("a flood [demo tokens=100000 rate=20000 bytes=60]", &["demo:brisk"]);
    let ids: Vec<_> = join_all((0..4).map(|_| submit())).await.into_iter().map(Result::unwrap).collect();
    home.disk().unwrap().fill().unwrap();
    let mut ledgers: Vec<_> = ids.iter().map(|_| Ledger::default()).collect();
    let follow =
        join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| follow_to_an_error(ledger, &client, id)));
    let told = tokio::time::timeout(PATIENCE, follow).await.expect("the streams neither end nor break");
    println!("{told:?}");
    is_refused(&client).await;
    let state = client.get("/api/health").await.unwrap().body["services"]["storage"]["state"].clone();
    println!(
        "{} events were shown; the log is {state}",
        ledgers.iter().map(|one| one.seen.len()).sum::<usize>()
    );
    home.disk().unwrap().free().unwrap();
    is_taken_again(&client).await;
    for (ledger, id) in ledgers.iter_mut().zip(&ids) {
        ledger.check_stream(&client, id).await;
        let cancelled = client.post(&format!("/api/llm/requests/{id}/cancel"), &json!({})).await.unwrap();
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
        assert!(ledger.follow(&client, id).await);
    }
    caught_up(&client).await;
    let checked = home.run(&["check", "--full"]).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// Three times (ten in `make soak`) streams are cut, and go on by themselves once there is space: on a disk that has the database, too, and on one
/// that has only the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_again_and_again_leaves_no_request_without_an_end() {
    let rounds = setting("WORDHOARD_FULL_DISK_ROUNDS").unwrap_or(3);
    let cluster = Postgres::start().await;
    let config = |database: &str| {
        format!(
            "{database}\n[limits]\nwal_segment = \"4MiB\"\ndisk_reserve = \"8MiB\"\n[archive]\nenabled = false\n"
        )
    };
    let in_postgres = format!("database_url = {:?}", cluster.url());
    for database in ["", in_postgres.as_str()] {
        let home = ServerHome::on_small_disk(EXE, &config(database), 1 << 30).unwrap();
        let server = home.start().unwrap();
        let client = server.client();
        let (mut ids, mut cut, mut resumed) = (Vec::new(), 0, 0);
        for _ in 0..rounds {
            let submit = || client.submit("again [demo tokens=40000 rate=40000 bytes=60]", &["demo:brisk"]);
            let new: Vec<_> =
                join_all((0..4).map(|_| submit())).await.into_iter().map(Result::unwrap).collect();
            home.disk().unwrap().fill().unwrap();
            let full = Instant::now();
            while full.elapsed() < Duration::from_secs(8) && storage(&client).await != "latched" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cut += u64::from(storage(&client).await == "latched");
            home.disk().unwrap().free().unwrap();
            is_taken_again(&client).await;
            ids.extend(new);
        }
        for id in &ids {
            let ended = client.wait_for_end(id).await.unwrap();
            assert_eq!(ended["status"], "completed", "{id} of {} requests", ids.len());
            let attempts = ended["lanes"][0]["attempts"].as_array().unwrap();
            assert!(
                attempts.iter().all(|attempt| attempt["status"] != "running"),
                "an attempt without an end"
            );
            resumed += usize::from(attempts.len() > 1);
        }
        println!("the log was cut off {cut} times of {rounds}; {resumed} of {} requests went on", ids.len());
        assert!(cut > 0, "the log always had a segment left");
        caught_up(&client).await;
        let recovery = client.get("/api/health").await.unwrap().body["services"]["recovery"].clone();
        assert_eq!(recovery, json!({ "due": false, "waiting_requests": 0 }));
        let checked = home.run(&["check", "--full"]).unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}

async fn storage(client: &Client) -> String {
    let health = client.get("/api/health").await.unwrap().body;
    health["services"]["storage"]["state"].as_str().unwrap_or_default().to_owned()
}

/// Gives what the stream said before it broke.
async fn follow_to_an_error(ledger: &mut Ledger, client: &Client, id: &str) -> String {
    let mut stream = client.follow(id, None).await.unwrap();
    let mut told = None;
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) if event.name == "error" => {
                told = event.data["error"]["message"].as_str().map(str::to_owned);
            }
            Next::Event(event) => ledger.take(event),
            Next::Ended => panic!("{id}: an orderly end on a full disk"),
            Next::Broken => return told.unwrap_or_else(|| panic!("{id}: broken without a word")),
        }
    }
}

async fn prompt(client: &Client) -> u16 {
    let body = json!({ "prompt": "is there space?", "models": ["demo:terse"] });
    let answer = client.post("/api/llm/prompt", &body).await.unwrap();
    if answer.status != 202 {
        assert!(matches!(answer.status, 503 | 507), "{}: {}", answer.status, answer.body);
        assert!(answer.retry_after.is_some());
    }
    answer.status
}

async fn is_refused(client: &Client) {
    let started = Instant::now();
    while prompt(client).await == 202 {
        assert!(started.elapsed() < PATIENCE, "prompts are still taken in");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_taken_again(client: &Client) {
    let freed = Instant::now();
    while client.get("/readyz").await.unwrap().status != 200 || prompt(client).await != 202 {
        assert!(freed.elapsed() < RECOVERY, "not back {:?} after space came back", freed.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("prompts are taken in again {:?} after space came back", freed.elapsed());
    let id = client.submit("after the flood", &["demo:terse"]).await.unwrap();
    let mut stream = client.follow(&id, None).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Next::Event(_)));
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    assert!(freed.elapsed() < RECOVERY, "not back {:?} after space came back", freed.elapsed());
}

/// Waits until SQL has all that was recorded.
pub(crate) async fn caught_up(client: &Client) {
    let started = Instant::now();
    loop {
        let health = client.get("/api/health").await.unwrap().body;
        if health["db_ok"] == true && health["buffer_len"] == 0 {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
