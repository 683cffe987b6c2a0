//! The disk of the data directory fills up: nothing is acknowledged that is not recorded, and once there is space again
//! it goes on by itself.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::ledger::Ledger;

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
    let home = home(160 << 20);
    let server = home.start().unwrap();
    let client = server.client();
    let submit = || client.submit("a flood [demo tokens=100000 rate=20000]", &["demo:brisk"]);
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
