//! A stop under load.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::PATIENCE;
use crate::EXE;
use crate::ledger::Ledger;

const STREAMS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_a_hundred_streams_is_quick_and_each_is_resumed() {
    let home = ServerHome::new(EXE, "drain_timeout = \"1s\"").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let ids = running(&client, STREAMS).await;
    let mut ledgers: Vec<_> = ids.iter().map(|_| Ledger::default()).collect();
    let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&client, id)));
    let (ended, stopped) = tokio::join!(follow, async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.terminate().unwrap();
        assert_not_ready_within(&client, Duration::from_millis(100)).await;
        Instant::now()
    });
    assert!(ended.iter().all(|ended| !ended), "a stream ended in an orderly way before its request");
    assert!(server.wait(PATIENCE).unwrap().success());
    let took = stopped.elapsed();
    println!("{STREAMS} streams: gone {took:?} after the signal");
    assert!(took < Duration::from_secs(5), "{took:?}");

    let server = home.start().unwrap();
    let client = server.client();
    let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&client, id)));
    assert!(follow.await.iter().all(|ended| *ended));
    for (ledger, id) in ledgers.iter().zip(&ids) {
        ledger.check_stream(&client, id).await;
        assert_eq!(ledger.seen.last().unwrap().data["status"], "completed");
    }
}

/// HTTP/2 has no connection that could be cut for one stream: it is reset.
#[tokio::test]
async fn a_stop_resets_streams_of_http_2() {
    let home = ServerHome::new(EXE, "drain_timeout = \"200ms\"").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("over two [demo tokens=500 rate=50]", &["demo:brisk"]).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let mut stream = http.get(client.url(&format!("/api/llm/stream/{id}"))).send().await.unwrap();
    assert_eq!(stream.version(), reqwest::Version::HTTP_2);
    drop(stream.chunk().await.unwrap().unwrap());
    server.terminate().unwrap();
    let mut received = Vec::new();
    let broken = loop {
        match stream.chunk().await {
            Ok(Some(bytes)) => received.extend_from_slice(&bytes),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    let received = String::from_utf8_lossy(&received);
    assert!(received.contains("\"status\":\"interrupted\""), "{received}");
    assert!(received.contains(": the server stops: reconnect with Last-Event-ID\n"), "{received}");
    assert!(broken, "the body ended in an orderly way");
    assert!(server.wait(PATIENCE).unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_database_is_frozen_ends_in_time_and_loses_nothing() {
    let postgres = Postgres::start().await;
    let home =
        ServerHome::new(EXE, &format!("drain_timeout = \"500ms\"\ndatabase_url = {:?}", postgres.url()))
            .unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let ids = running(&client, 5).await;
    let mut ledgers: Vec<_> = ids.iter().map(|_| Ledger::default()).collect();
    let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&client, id)));
    let (_, stopped) = tokio::join!(follow, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        postgres.freeze();
        server.terminate().unwrap();
        assert_not_ready_within(&client, Duration::from_millis(100)).await;
        Instant::now()
    });
    assert!(server.wait(PATIENCE).unwrap().success());
    println!("with PostgreSQL frozen: gone {:?} after the signal", stopped.elapsed());
    assert_step(&server, "apply", "timed_out");
    postgres.thaw();
    let server = home.start().unwrap();
    let client = server.client();
    for (ledger, id) in ledgers.iter_mut().zip(&ids) {
        assert!(ledger.follow(&client, id).await);
        ledger.check_stream(&client, id).await;
    }
}

/// One server after the other is stopped and started. Who was connected to it goes to the other one: what is durable
/// is there, and the rest once the owner is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing() {
    let postgres = Postgres::builder().setting("max_connections", "60").start().await;
    let config = format!("drain_timeout = \"300ms\"\ndatabase_url = {:?}", postgres.url());
    let homes = [ServerHome::new(EXE, &config).unwrap(), ServerHome::new(EXE, &config).unwrap()];
    let mut servers = [homes[0].start().unwrap(), homes[1].start().unwrap()];
    for turn in 0..2 {
        let (owner, other) = (servers[turn].client(), servers[1 - turn].client());
        let ids = running(&owner, 10).await;
        let mut ledgers: Vec<_> = ids.iter().map(|_| Ledger::default()).collect();
        let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&owner, id)));
        let (ended, ()) = tokio::join!(follow, async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            servers[turn].terminate().unwrap();
        });
        assert!(ended.iter().all(|ended| !ended));
        assert!(servers[turn].wait(PATIENCE).unwrap().success());
        // The owner is gone; what its readers have seen is with the other server.
        for (ledger, id) in ledgers.iter().zip(&ids) {
            ledger.check_stream(&other, id).await;
        }
        // They go on there, and its owner comes back meanwhile.
        let follow = join_all(ledgers.iter_mut().zip(&ids).map(|(ledger, id)| ledger.follow(&other, id)));
        let (ended, started) = tokio::join!(follow, async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            homes[turn].start().unwrap()
        });
        assert!(ended.iter().all(|ended| *ended), "turn {turn}: {ended:?}");
        servers[turn] = started;
        for ledger in &ledgers {
            assert_eq!(ledger.seen.last().unwrap().data["status"], "completed");
        }
    }
}

/// Requests that run for some seconds, and have begun to.
async fn running(client: &Client, count: usize) -> Vec<String> {
    let submit = || client.submit("under load [demo tokens=150 rate=50]", &["demo:brisk"]);
    let ids: Vec<_> = join_all((0..count).map(|_| submit())).await.into_iter().map(Result::unwrap).collect();
    let mut last = client.follow(ids.last().unwrap(), None).await.unwrap();
    while !matches!(last.next().await.unwrap(), Next::Event(event) if event.name == "token") {}
    ids
}

async fn assert_not_ready_within(client: &Client, limit: Duration) {
    let signalled = Instant::now();
    while client.get("/readyz").await.unwrap().status != 503 {
        assert!(signalled.elapsed() < limit, "still ready");
    }
    println!("not ready any more after {:?}", signalled.elapsed());
    assert!(signalled.elapsed() < limit, "{:?}", signalled.elapsed());
    let health = client.get("/api/health").await.unwrap().body;
    let shutdown = &health["services"]["shutdown"];
    assert_eq!((&health["status"], &shutdown["shutdown_initiated"]), (&"shutting_down".into(), &true.into()));
    assert_eq!(
        (&shutdown["steps"][0]["name"], &shutdown["steps"][0]["state"]),
        (&"prompts".into(), &"done".into())
    );
}

fn assert_step(server: &ServerProcess, step: &str, state: &str) {
    let log = server.log().unwrap();
    let line =
        log.iter().find(|line| line["step"] == step).unwrap_or_else(|| panic!("no step {step}: {log:?}"));
    let message = line["message"].as_str().unwrap();
    let found = match message {
        "shutdown" => "done",
        "shutdown: a step failed" => "failed",
        _ => "timed_out",
    };
    assert_eq!(found, state, "{line}");
}
