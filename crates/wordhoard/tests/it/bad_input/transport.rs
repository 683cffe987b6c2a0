//! What is wrong with the HTTP request itself.

use super::Gate;
use crate::raw_http::{exchange, get};

const BODY: &str = "{\"prompt\":\"x [demo tokens=1]\",\"models\":[\"demo:terse\"]}";

/// A prompt over a connection of its own, with these header lines.
fn post(headers: &str) -> Vec<u8> {
    let length = BODY.len();
    format!(
        "POST /api/llm/prompt HTTP/1.1\r\n{headers}connection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{BODY}"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_421() {
    let gate = Gate::open();
    for host in [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "localhost:80@evil.example",
        "10.0.0.1",
        "[::2]:80",
        "0.0.0.0",
        "",
    ] {
        let before = gate.log_length();
        let answer = exchange(gate.server.base_url(), &post(&format!("host: {host}\r\n")));
        gate.assert_refused(host, before, &answer, 421, Some("Host"));
    }
    // The target's own host counts where it has one, whatever the header says.
    let before = gate.log_length();
    let target = b"GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = exchange(gate.server.base_url(), target);
    gate.assert_refused("absolute", before, &answer, 421, Some("Host"));
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_missing_host_is_400() {
    let gate = Gate::open();
    let before = gate.log_length();
    let answer = exchange(gate.server.base_url(), &post(""));
    gate.assert_refused("missing", before, &answer, 400, Some("Host"));
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn our_names_pass_whatever_the_port_and_other_origins_get_no_leave() {
    let gate = Gate::open();
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8000"] {
        let answer = exchange(gate.server.base_url(), &post(&format!("host: {host}\r\n")));
        assert_eq!(answer.status, 202, "{host}: {}", answer.body);
    }
    let answer = get(&gate.client, "/api/health", &[("origin", "https://evil.example")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// A body that ends before its announced length is nothing that was said.
#[tokio::test]
async fn a_body_that_is_cut_stores_nothing() {
    let gate = Gate::open();
    let whole = post("host: localhost\r\n");
    for length in [whole.len() - BODY.len(), whole.len() - 1] {
        use std::io::Write;
        let address = gate.server.base_url().strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&whole[..length]).unwrap();
        drop(stream);
    }
    // It is well, and stays so once it has noticed.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    gate.assert_nothing_stored().await;
}
