//! Requests that two servers would read in two ways. Each is refused, or is the last of its connection: what a proxy
//! before us took for a body is never read as a request of somebody else's.

use wordhoard_testkit::server::ServerHome;

use super::{is_well, talk};
use crate::EXE;

/// What would be a request of its own, were it not part of the body before it.
const HIDDEN: &str = "GET /api/health HTTP/1.1\r\nhost: localhost\r\nx: y\r\n\r\n";

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /api/llm/validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
    )
}

/// How many answers came, and the status of the first.
fn answers(answer: &str) -> (usize, &str) {
    (answer.matches("HTTP/1.1 ").count(), answer.get(9..12).unwrap_or_default())
}

#[tokio::test]
async fn two_lengths_hide_no_request() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let hidden = HIDDEN.len();
    let chunked = format!("0\r\n\r\n{HIDDEN}");
    let (length, whole) = (chunked.len(), HIDDEN);
    for (name, request) in [
        (
            "CL before TE",
            post(&format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), &chunked),
        ),
        (
            "TE before CL",
            post(&format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), &chunked),
        ),
        (
            "TE in capitals",
            post(&format!("content-length: {length}\r\nTransfer-Encoding: Chunked\r\n"), &chunked),
        ),
        (
            "TE behind a bare LF",
            post(&format!("content-length: {length}\r\nx: y\ntransfer-encoding: chunked\r\n"), &chunked),
        ),
        ("a chunk extension", post("transfer-encoding: chunked\r\n", &format!("0;x=\"y\"\r\n\r\n{HIDDEN}"))),
        (
            "trailers",
            post("transfer-encoding: chunked\r\n", &format!("0\r\ncontent-length: {hidden}\r\n\r\n{HIDDEN}")),
        ),
    ] {
        let answer = talk(server.base_url(), request.as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("{name}: the connection stays open"));
        assert_eq!(answers(&answer), (1, "400"), "{name}: {answer}");
    }
    for (name, request) in [
        ("two lengths", post(&format!("content-length: 0\r\ncontent-length: {hidden}\r\n"), whole)),
        ("two lengths in one", post(&format!("content-length: {hidden}, 0\r\n"), whole)),
        ("the same twice in one", post("content-length: 2, 2\r\n", &format!("{{}}{HIDDEN}"))),
        ("a signed length", post("content-length: +2\r\n", &format!("{{}}{HIDDEN}"))),
        ("a negative length", post("content-length: -1\r\n", whole)),
        ("a hexadecimal length", post("content-length: 0x2\r\n", &format!("{{}}{HIDDEN}"))),
        ("a length beyond 2^64", post("content-length: 18446744073709551617\r\n", whole)),
        ("an empty length", post("content-length:\r\n", whole)),
        ("an unknown coding", post("transfer-encoding: xchunked\r\n", &chunked)),
        ("chunked is not the last", post("transfer-encoding: chunked, identity\r\n", &chunked)),
        ("a blank before the colon", post(&format!("content-length : {hidden}\r\n"), whole)),
        ("a folded header", post(&format!("x: y\r\n content-length: {hidden}\r\n"), whole)),
        ("a folded coding", post("transfer-encoding:\r\n chunked\r\n", &chunked)),
        ("a bare CR", post(&format!("x: y\rcontent-length: {hidden}\r\n"), whole)),
        ("a NUL", post("x: y\0z\r\n", whole)),
        ("a name with a blank", post("x y: z\r\n", whole)),
        (
            "a chunk beyond 2^64",
            post("transfer-encoding: chunked\r\n", &format!("10000000000000000\r\n{HIDDEN}")),
        ),
        ("a chunk that is no number", post("transfer-encoding: chunked\r\n", &format!("-1\r\n{HIDDEN}"))),
        (
            "a chunk without its end",
            post("transfer-encoding: chunked\r\n", &format!("2\r\n{{}}xx0\r\n\r\n{HIDDEN}")),
        ),
        (
            "TE of HTTP/1.0",
            post("transfer-encoding: chunked\r\n", &chunked).replacen("HTTP/1.1", "HTTP/1.0", 1),
        ),
        ("a third version", post("content-length: 2\r\n", "{}").replacen("HTTP/1.1", "HTTP/1.2", 1)),
    ] {
        let answer = talk(server.base_url(), request.as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("{name}: the connection stays open"));
        let answer = answer.replace("HTTP/1.0 ", "HTTP/1.1 ");
        let (count, status) = answers(&answer);
        assert!(count <= 1, "{name}: {answer}");
        assert!(status.starts_with('4') || count == 0, "{name}: {answer}");
    }
    is_well(&server.client()).await;
}

/// Without any trick two requests of one connection are two.
#[tokio::test]
async fn an_honest_body_leaves_the_connection_open() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let last = HIDDEN.replace("x: y", "connection: close");
    let honest = format!("{}{last}", post("content-length: 14\r\n", "{\"prompt\":\"x\"}"));
    let answer = talk(server.base_url(), honest.as_bytes()).unwrap();
    assert_eq!(answers(&answer), (2, "200"), "{answer}");
    let chunked =
        format!("{}{last}", post("transfer-encoding: chunked\r\n", "e\r\n{\"prompt\":\"x\"}\r\n0\r\n\r\n"));
    let answer = talk(server.base_url(), chunked.as_bytes()).unwrap();
    assert_eq!(answers(&answer), (1, "200"), "behind chunks it closes: {answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
}
