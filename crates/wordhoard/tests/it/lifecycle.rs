//! Start, stop, and what lies between two lives.

mod drain;
mod restart;

use std::time::Duration;

use wordhoard_testkit::client::Next;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::ledger::Ledger;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn sigterm_lets_short_requests_end_and_refuses_new_ones() {
    let home = ServerHome::new(EXE, "").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("drain [demo tokens=100 rate=100]", &["demo:brisk"]).await.unwrap();
    let mut stream = client.follow(&id, None).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Next::Event(_)));
    server.terminate().unwrap();
    while client.get("/readyz").await.unwrap().status != 503 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let refused = client.post("/api/llm/prompt", &serde_json::json!({ "prompt": "late" })).await.unwrap();
    assert_eq!((refused.status, refused.retry_after.as_deref()), (503, Some("5")));
    assert_eq!(client.get("/api/health").await.unwrap().body["status"], "shutting_down");
    let mut last = None;
    while let Next::Event(event) = stream.next().await.unwrap() {
        last = Some(event);
    }
    let last = last.unwrap();
    assert_eq!((last.name.as_str(), last.data["status"].as_str()), ("request.finished", Some("completed")));
    assert!(server.wait(PATIENCE).unwrap().success());
}

#[tokio::test]
async fn what_a_stop_cuts_short_goes_on_at_the_next_start_and_its_reader_too() {
    let home = ServerHome::new(EXE, "drain_timeout = \"300ms\"").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("cut short [demo tokens=200 rate=100]", &["demo:brisk"]).await.unwrap();
    let mut ledger = Ledger::default();
    let (ended, ()) = tokio::join!(ledger.follow(&client, &id), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.terminate().unwrap();
    });
    assert!(!ended, "the stream of a request that goes on must not end in an orderly way");
    assert!(server.wait(PATIENCE).unwrap().success());
    let interrupted = ledger.seen.last().unwrap();
    assert_eq!(
        (interrupted.name.as_str(), interrupted.data["status"].as_str()),
        ("attempt.finished", Some("interrupted"))
    );
    assert_eq!(interrupted.data["error"]["class"], "server_stopped");

    let server = home.start().unwrap();
    assert!(ledger.follow(&server.client(), &id).await);
    let document = server.client().wait_for_end(&id).await.unwrap();
    assert_eq!(document["status"], "completed");
    let attempts = document["lanes"][0]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    // The second goes on where the first was cut.
    assert_eq!(attempts[1]["continues"]["attempt_seq"], 1);
    let tokens: u64 = attempts.iter().map(|attempt| attempt["token_count"].as_u64().unwrap()).sum();
    assert_eq!(tokens, 200);
}

#[tokio::test]
async fn a_stop_tells_open_streams_to_come_back_and_cuts_them() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let home = ServerHome::new(EXE, "drain_timeout = \"200ms\"").unwrap();
    let mut server = home.start().unwrap();
    let id = server.client().submit("told [demo tokens=500 rate=50]", &["demo:brisk"]).await.unwrap();
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!("GET /api/llm/stream/{id} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.terminate().unwrap();
    let mut received = Vec::new();
    // A reset after the last bytes is as good as an end: what matters is that the body has no terminating chunk.
    drop(stream.read_to_end(&mut received).await);
    let received = String::from_utf8_lossy(&received);
    assert!(received.contains("\"status\":\"interrupted\""), "{received}");
    assert!(received.contains(": the server stops: reconnect with Last-Event-ID\n"), "{received}");
    assert!(!received.ends_with("0\r\n\r\n"), "the body ended in an orderly way");
    assert!(server.wait(PATIENCE).unwrap().success());
}

#[tokio::test]
async fn interrupted_requests_are_closed_where_the_configuration_says_so() {
    let home = ServerHome::new(EXE, "resume_interrupted = false").unwrap();
    let server = home.start().unwrap();
    let id = server.client().submit("closed [demo tokens=500 rate=100]", &["demo:brisk"]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    let document = server.client().wait_for_end(&id).await.unwrap();
    assert_eq!(document["status"], "interrupted");
    assert_eq!(document["lanes"][0]["attempts"][0]["status"], "interrupted");
}

#[tokio::test]
async fn a_second_signal_leaves_at_once_and_loses_nothing() {
    let home = ServerHome::new(EXE, "").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("impatient [demo tokens=1000 rate=100]", &["demo:brisk"]).await.unwrap();
    let mut ledger = Ledger::default();
    let (_, ()) = tokio::join!(ledger.follow(&client, &id), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.terminate().unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.terminate().unwrap();
    });
    assert_eq!(server.wait(Duration::from_secs(5)).unwrap().code(), Some(130));
    let server = home.start().unwrap();
    ledger.check_stream(&server.client(), &id).await;
}

#[tokio::test]
async fn one_data_directory_has_one_server() {
    let home = ServerHome::new(EXE, "").unwrap();
    let _server = home.start().unwrap();
    let refused = home.start().unwrap_err().to_string();
    assert!(refused.contains("is locked by process"), "{refused}");
}

#[tokio::test]
async fn a_database_that_does_not_belong_to_the_log_is_refused() {
    let home = ServerHome::new(EXE, "").unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("hello", &["demo:terse"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    server.terminate().unwrap();
    server.wait(PATIENCE).unwrap();

    // Without its database the server makes it anew from the log.
    let database = home.data_dir().join("wordhoard.db");
    for file in ["wordhoard.db", "wordhoard.db-wal", "wordhoard.db-shm"] {
        drop(std::fs::remove_file(home.data_dir().join(file)));
    }
    let server = home.start().unwrap();
    assert_eq!(server.client().wait_for_end(&id).await.unwrap()["status"], "completed");
    server.kill_9().unwrap();

    // A database that lacks what the log has let go cannot be made whole: no start, and the reason.
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute("UPDATE wal_positions SET applied = 100000000", []).unwrap();
    drop(connection);
    let refused = home.start().unwrap_err().to_string();
    assert!(refused.contains("put the log back"), "{refused}");
}

/// `P` may be the beginning of HTTP/2; it must not hold a connection for longer than a head may take.
#[tokio::test]
async fn a_client_that_sends_one_byte_is_cut_off_in_time() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let home = ServerHome::new(EXE, "limits = { header_timeout = \"300ms\" }").unwrap();
    let server = home.start().unwrap();
    for first in ["P", "PRI * HT", "G"] {
        let address = server.base_url().trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut received));
        assert!(ended.await.is_ok(), "{first:?} holds its connection");
    }
    assert_eq!(server.client().get("/livez").await.unwrap().status, 200);
}

/// Where the log goes away, what is logged must not.
#[tokio::test]
async fn a_server_whose_standard_error_is_gone_goes_on() {
    use std::io::Read;
    let home = ServerHome::new(EXE, "").unwrap();
    let mut child = std::process::Command::new(EXE)
        .args(["serve", "--config"])
        .arg(home.config_path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (mut said, mut chunk) = (String::new(), [0; 1024]);
    let url = loop {
        let read = stderr.read(&mut chunk).unwrap();
        said.push_str(&String::from_utf8_lossy(&chunk[..read]));
        if let Some(rest) = said.split("\"url\":\"").nth(1)
            && let Some((url, _)) = rest.split_once('"')
        {
            break url.to_owned();
        }
    };
    drop(stderr);
    let client = wordhoard_testkit::client::Client::new(&url);
    let id = client.submit("unheard", &["demo:terse", "demo:brisk"]).await.unwrap();
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    assert_eq!(client.get("/api/llm/requests/nope").await.unwrap().status, 404);
    child.kill().unwrap();
    child.wait().unwrap();
}
