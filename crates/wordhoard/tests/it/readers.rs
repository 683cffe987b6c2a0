//! Many readers, many of them stuck: the recording and the others go on, and memory stays bounded.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wordhoard_testkit::client::Next;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;

const READERS: usize = 1_000;
const TOKENS: usize = 6_000;

/// Opens a stream and never reads on: its small receive buffer fills, then the server's send buffer does.
async fn stuck_reader(address: &str, id: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!("GET /api/llm/stream/{id} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_readers_of_which_half_are_stuck_hurt_nobody() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let prompt = format!("many readers [demo tokens={TOKENS} rate=500]");
    let id = client.submit(&prompt, &["demo:brisk"]).await.unwrap();
    let before = server.resident_bytes().unwrap();

    let address = server.base_url().trim_start_matches("http://").to_owned();
    let mut stuck = Vec::new();
    for _ in 0..READERS / 2 {
        stuck.push(stuck_reader(&address, &id).await);
    }
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..READERS / 2 {
        let (client, id) = (client.clone(), id.clone());
        reading.spawn(async move {
            let mut stream = client.follow(&id, None).await.unwrap();
            let mut count = 0_u64;
            loop {
                match stream.next().await.unwrap() {
                    Next::Event(event) => {
                        assert_eq!(event.seq, count);
                        count += 1;
                    }
                    Next::Ended => return count,
                    Next::Broken => panic!("a reader that reads was cut off"),
                }
            }
        });
    }
    // A second request, while all of them hang on the first: its recording keeps its pace.
    let started = Instant::now();
    let paced = client.submit("pace [demo tokens=200 rate=100]", &["demo:bard"]).await.unwrap();
    let document = client.wait_for_end(&paced).await.unwrap();
    assert_eq!(document["status"], "completed");
    println!("200 tokens at 100/s beside {READERS} readers took {:?}", started.elapsed());

    for count in reading.join_all().await {
        assert_eq!(count, TOKENS as u64 + 4);
    }
    assert_eq!(client.wait_for_end(&id).await.unwrap()["token_count"], TOKENS);
    let grown = server.resident_bytes().unwrap().saturating_sub(before);
    println!("resident memory grew by {} MiB", grown >> 20);
    // 1,000 connections at some 40 KiB each; what must not be there is the stream once for every stuck reader,
    // which would be over 500 MiB.
    assert!(grown < 120 << 20, "memory grew by {grown} bytes");
    drop(stuck);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.get("/livez").await.unwrap().status, 200);
}
