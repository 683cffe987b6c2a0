//! The server starts anew in the same process.

use std::time::{Duration, Instant};

use wordhoard_testkit::server::ServerHome;

use super::PATIENCE;
use crate::EXE;
use crate::ledger::Ledger;

#[tokio::test]
async fn a_restart_keeps_process_and_address_and_loses_nothing() {
    let home = ServerHome::new(EXE, "drain_timeout = \"200ms\"").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    for round in 0..3 {
        let id = client.submit("again [demo tokens=200 rate=100]", &["demo:brisk"]).await.unwrap();
        let mut ledger = Ledger::default();
        let (ended, ()) = tokio::join!(ledger.follow(&client, &id), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.hang_up().unwrap();
        });
        assert!(!ended, "round {round}: the stream was not cut");
        let restarted = Instant::now();
        // The socket never closes: whoever comes meanwhile waits, or is told to come back.
        while client.get("/readyz").await.unwrap().status != 200 {
            assert!(restarted.elapsed() < PATIENCE, "round {round}: {}", server.output().unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("round {round}: ready again {:?} after the stream was cut", restarted.elapsed());
        assert!(ledger.follow(&client, &id).await, "round {round}");
        ledger.check_stream(&client, &id).await;
        assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
        let health = client.get("/api/health").await.unwrap().body;
        assert_eq!(health["services"]["shutdown"]["shutdown_initiated"], false, "{health}");
    }
    server.terminate().unwrap();
    assert!(server.wait(PATIENCE).unwrap().success());
}

#[tokio::test]
async fn a_reload_takes_the_new_configuration_and_goes_on_with_the_old_one_where_it_is_wrong() {
    let home = ServerHome::new(EXE, "drain_timeout = \"200ms\"").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    home.configure("drain_timeout = \"soon\"").unwrap();
    server.hang_up().unwrap();
    let told = async |message: &str| {
        let started = Instant::now();
        while !server.output().unwrap().contains(message) {
            assert!(started.elapsed() < PATIENCE, "{message}: {}", server.output().unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    told("the configuration cannot be used; going on with the old one").await;
    assert_eq!(client.get("/readyz").await.unwrap().status, 200);
    home.configure("[aliases]\nquick = \"demo:terse\"").unwrap();
    server.hang_up().unwrap();
    told("stopped, to start again").await;
    let started = Instant::now();
    while client.get("/readyz").await.unwrap().status != 200 {
        assert!(started.elapsed() < PATIENCE);
    }
    let id = client.submit("by its new name", &["quick"]).await.unwrap();
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");

    // What only a start can tell: then the server has stopped, and starts again as it was.
    home.configure("[backup]\nkey_file = \"/proc/nope/key\"").unwrap();
    server.hang_up().unwrap();
    told("the new configuration cannot be used; going on with the old one").await;
    let started = Instant::now();
    while client.get("/readyz").await.unwrap().status != 200 {
        assert!(started.elapsed() < PATIENCE);
    }
    let id = client.submit("still by its new name", &["quick"]).await.unwrap();
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    server.terminate().unwrap();
    assert!(server.wait(PATIENCE).unwrap().success());
}
