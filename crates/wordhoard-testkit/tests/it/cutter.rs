use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_postgres::Client;
use wordhoard_testkit::cutter::{CommitCut, Cutter, Mode};
use wordhoard_testkit::postgres::Postgres;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

/// A cutter before a listener of the test's own.
async fn cutter() -> (TcpListener, Cutter) {
    let target = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let cutter = Cutter::start(target.local_addr().unwrap().port()).await.unwrap();
    (target, cutter)
}

/// Both ends of a connection through it.
async fn connected(target: &TcpListener, cutter: &Cutter) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(("127.0.0.1", cutter.port())).await.unwrap();
    let (server, _) = timeout(LONG, target.accept()).await.unwrap().unwrap();
    (client, server)
}

async fn send(from: &mut TcpStream, to: &mut TcpStream, text: &str) {
    from.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(received(to, text.len()).await, text);
}

async fn received(stream: &mut TcpStream, length: usize) -> String {
    let mut got = vec![0; length];
    timeout(LONG, stream.read_exact(&mut got)).await.unwrap().unwrap();
    String::from_utf8(got).unwrap()
}

async fn assert_reset(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn passes_both_ways_and_hands_on_an_orderly_end() {
    let (target, cutter) = cutter().await;
    let (mut client, mut server) = connected(&target, &cutter).await;
    send(&mut client, &mut server, "there").await;
    client.shutdown().await.unwrap();
    assert_eq!(timeout(LONG, server.read(&mut [0])).await.unwrap().unwrap(), 0);
    send(&mut server, &mut client, "and back").await;
    drop(server);
    assert_eq!(timeout(LONG, client.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn refuses_new_connections_and_leaves_the_open_ones() {
    let (target, cutter) = cutter().await;
    let (mut client, mut server) = connected(&target, &cutter).await;
    cutter.set_mode(Mode::Refuse);
    // The kernel may tell of the reset when connecting already.
    if let Ok(mut refused) = TcpStream::connect(("127.0.0.1", cutter.port())).await {
        assert_reset(&mut refused).await;
    }
    send(&mut client, &mut server, "still open").await;
    cutter.set_mode(Mode::Pass);
    connected(&target, &cutter).await;
    assert_eq!(cutter.connections(), 3);
}

#[tokio::test]
async fn silence_holds_what_flows_and_new_connections_too() {
    let (target, cutter) = cutter().await;
    let (mut client, mut server) = connected(&target, &cutter).await;
    cutter.set_mode(Mode::Silent);
    client.write_all(b"there").await.unwrap();
    server.write_all(b"back").await.unwrap();
    let mut late = TcpStream::connect(("127.0.0.1", cutter.port())).await.unwrap();
    late.write_all(b"late").await.unwrap();
    let mut byte = [0];
    assert!(timeout(SHORT, server.read(&mut byte)).await.is_err());
    assert!(timeout(SHORT, client.read(&mut byte)).await.is_err());
    assert!(timeout(SHORT, target.accept()).await.is_err());
    cutter.set_mode(Mode::Pass);
    assert_eq!(received(&mut server, 5).await, "there");
    assert_eq!(received(&mut client, 4).await, "back");
    let (mut server, _) = timeout(LONG, target.accept()).await.unwrap().unwrap();
    assert_eq!(received(&mut server, 4).await, "late");
}

#[tokio::test]
async fn cutting_all_resets_both_sides_and_not_what_comes_after() {
    let (target, cutter) = cutter().await;
    for mode in [Mode::Pass, Mode::Silent] {
        cutter.set_mode(Mode::Pass);
        let (mut client, mut server) = connected(&target, &cutter).await;
        cutter.set_mode(mode);
        cutter.cut_all().unwrap();
        assert_reset(&mut client).await;
        assert_reset(&mut server).await;
    }
    cutter.set_mode(Mode::Pass);
    let (mut client, mut server) = connected(&target, &cutter).await;
    send(&mut client, &mut server, "new").await;
}

#[tokio::test]
async fn a_target_that_is_down_is_a_reset() {
    let (target, cutter) = cutter().await;
    drop(target);
    if let Ok(mut client) = TcpStream::connect(("127.0.0.1", cutter.port())).await {
        assert_reset(&mut client).await;
    }
}

/// One transaction with that row; whether the client was told that it is committed.
async fn insert(client: &mut Client, n: i32) -> bool {
    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES ($1)", &[&n]).await.unwrap();
    timeout(LONG, transaction.commit()).await.unwrap().is_ok()
}

#[tokio::test]
async fn a_commit_cut_after_forwarding_did_commit_and_one_cut_before_did_not() {
    let postgres = Postgres::start().await;
    let cutter = Cutter::start(postgres.port()).await.unwrap();
    let url = cutter.url(&postgres.url());
    let direct = Postgres::connect(&postgres.url()).await.unwrap();
    direct.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let mut expected = Vec::new();
    for round in 0..20 {
        let cut = if round % 2 == 0 { CommitCut::AfterForwarding } else { CommitCut::BeforeForwarding };
        cutter.cut_at_commit(2, cut);
        let mut client = Postgres::connect(&url).await.unwrap();
        assert!(insert(&mut client, 2 * round).await);
        assert!(!insert(&mut client, 2 * round + 1).await);
        expected.push(2 * round);
        if cut == CommitCut::AfterForwarding {
            expected.push(2 * round + 1);
        }
        let rows = direct.query("SELECT n FROM t ORDER BY n", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), expected, "{cut:?}");
    }
    assert_eq!((cutter.commits_seen(), cutter.commits_cut(), cutter.connections()), (40, 20, 20));
}

#[tokio::test]
async fn a_commit_within_a_batch_is_cut_too() {
    let postgres = Postgres::start().await;
    let cutter = Cutter::start(postgres.port()).await.unwrap();
    let direct = Postgres::connect(&postgres.url()).await.unwrap();
    direct.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    for (cut, rows) in [(CommitCut::BeforeForwarding, 0_i64), (CommitCut::AfterForwarding, 1)] {
        let client = Postgres::connect(&cutter.url(&postgres.url())).await.unwrap();
        cutter.cut_at_commit(1, cut);
        assert_eq!(pipelined(&client).await, [false; 3], "{cut:?}");
        let counted = direct.query_one("SELECT count(*) FROM t", &[]).await.unwrap();
        assert_eq!(counted.get::<_, i64>(0), rows, "{cut:?}");
    }
}

/// A transaction of three messages sent at once; which of them were answered.
async fn pipelined(client: &Client) -> [bool; 3] {
    let (begun, inserted, committed) = tokio::join!(
        client.batch_execute("BEGIN"),
        client.batch_execute("INSERT INTO t VALUES (1)"),
        client.batch_execute("COMMIT"),
    );
    [begun.is_ok(), inserted.is_ok(), committed.is_ok()]
}
