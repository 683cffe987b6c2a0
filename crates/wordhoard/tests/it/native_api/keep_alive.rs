use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use wordhoard_testkit::client::Client;
use wordhoard_testkit::provider::MisbehavingProvider;

use super::{mock_table, start};

/// Reads a stream until it has been silent and then said something, and gives that with the length of the silence.
/// Silence begins with the last byte before it.
async fn after_silence(client: &Client, path: &str) -> (String, Duration) {
    let mut response = client.http().get(client.url(path)).send().await.unwrap();
    let mut last = Instant::now();
    loop {
        let chunk = response.chunk().await.unwrap().expect("the stream ended");
        let silent = std::mem::replace(&mut last, Instant::now()).elapsed();
        if silent > Duration::from_secs(5) {
            return (String::from_utf8(chunk.to_vec()).unwrap(), silent);
        }
    }
}

/// Also where another lane, which this reader does not want, goes on talking.
#[tokio::test]
async fn a_silent_stream_says_every_15_seconds_that_it_lives() {
    let mock = MisbehavingProvider::start().unwrap();
    let (_home, server) = start(&mock_table(&mock.base_url()));
    let client = server.client();
    let id = client.submit("hush", &["mock:stall-after-2", "mock:paced-1000x40"]).await.unwrap();
    let quiet = client.submit("hush", &["mock:stall-after-2"]).await.unwrap();
    let (whole, lane) = (format!("/api/llm/stream/{quiet}"), format!("/api/llm/stream/{id}?lane=0"));
    let (whole, lane) = tokio::join!(after_silence(&client, &whole), after_silence(&client, &lane));
    for (said, silent) in [whole, lane] {
        // One newline only: glued to the next event, as some clients need it.
        assert_eq!(said, ": ka\n");
        assert!((14..20).contains(&silent.as_secs()), "{silent:?}");
    }
}

/// A refusal comes before the body, which the client sends all the same. Its next request is answered on this connection, or the
/// refusal has said that it closes; it is never reset in the client's face.
#[test]
fn a_client_knows_what_becomes_of_its_connection_after_a_refusal() {
    let (_home, server) = start("require_keys = true\n");
    let address = server.base_url().strip_prefix("http://").unwrap();
    for (refused, request, further) in [
        ("401", "POST /v1/models", ""),
        ("404", "POST /api/nope", ""),
        ("401", "POST /v1/chat/completions", ""),
        ("403", "POST /v1/chat/completions", "origin: http://x.example\r\n"),
    ] {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let read = || {
            let mut bytes = [0; 16_384];
            let count = (&stream).read(&mut bytes).expect("reset");
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        let head = format!(
            "{request} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\ncontent-type: application/json\r\n\
             content-length: 500\r\n{further}\r\n"
        );
        (&stream).write_all(head.as_bytes()).unwrap();
        let answer = read();
        assert!(answer.starts_with(&format!("HTTP/1.1 {refused}")), "{request}: {answer}");
        (&stream).write_all(&[b'x'; 500]).unwrap();
        let said_close = answer.to_lowercase().contains("connection: close");
        if said_close {
            assert_eq!(read(), "", "{request}: an orderly end");
        } else {
            (&stream).write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            assert!(read().starts_with("HTTP/1.1 200"), "{request}");
        }
    }
}
