//! Too many, too long, too slow, too deep.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use wordhoard_testkit::server::ServerHome;

use super::{is_well, talk};
use crate::EXE;
use crate::raw_http::send;

#[tokio::test]
async fn too_many_or_too_long_headers_are_431_and_the_rest_goes_on() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let head = |headers: &str| format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    let many = |count: usize| (0..count).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    let long = |size: usize| format!("x-long: {}\r\n", "y".repeat(size));
    for headers in [many(101), many(1_500), long(20 << 10), long(8 << 20)] {
        let answer = talk(server.base_url(), head(&headers).as_bytes()).expect("it was not closed");
        // Of what was still being sent when the connection closed, the answer may be lost with a reset.
        assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    }
    let short = head(&many(101));
    assert!(talk(server.base_url(), short.as_bytes()).unwrap().starts_with("HTTP/1.1 431"));
    let fits = head(&format!("{}connection: close\r\n", many(90)));
    assert!(talk(server.base_url(), fits.as_bytes()).unwrap().starts_with("HTTP/1.1 200"));
    let long_target = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(70_000));
    let answer = talk(server.base_url(), long_target.as_bytes()).expect("it was not closed");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    is_well(&server.client()).await;
}

#[tokio::test]
async fn http_2_takes_no_more_header_lines_than_http_1() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    for (count, status) in [(90, 200), (300, 431)] {
        let mut request = http.get(server.client().url("/livez"));
        for _ in 0..count {
            request = request.header("x", "y");
        }
        assert_eq!(send(request).await.status, status, "{count} lines");
    }
    is_well(&server.client()).await;
}

/// A byte now and then keeps no connection open.
#[tokio::test]
async fn slow_headers_and_slow_bodies_are_cut_off() {
    let home = ServerHome::new(EXE, "limits = { header_timeout = \"500ms\" }").unwrap();
    let server = home.start().unwrap();
    let (base_url, well) = (server.base_url().to_owned(), server.client());
    let drip = move |head: &'static str, drops: &'static str| {
        let mut stream = TcpStream::connect(base_url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let started = Instant::now();
        stream.write_all(head.as_bytes()).unwrap();
        for drop in drops.bytes().cycle() {
            if stream.write_all(&[drop]).is_err() || started.elapsed() > Duration::from_secs(3) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            stream.set_nonblocking(true).unwrap();
            let ended = stream.peek(&mut [0; 1]).is_ok();
            stream.set_nonblocking(false).unwrap();
            if ended {
                break;
            }
        }
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        (started.elapsed(), String::from_utf8_lossy(&answer).into_owned())
    };
    let body = "POST /api/llm/validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n{";
    let drips = std::thread::spawn(move || {
        [
            drip("", "G"),
            drip("GET /livez HTTP/1.1\r\nx-slow: ", "y"),
            drip(body, " "),
            drip("PRI * HTTP/2.0\r\n", "\r"),
        ]
    });
    is_well(&well).await;
    let drips = tokio::task::spawn_blocking(|| drips.join().unwrap()).await.unwrap();
    for (took, answer) in &drips {
        println!("cut off after {took:?}: {:?}", answer.lines().next());
        assert!(*took < Duration::from_secs(3), "{took:?}: {answer}");
    }
    assert!(drips[2].1.starts_with("HTTP/1.1 408"), "{}", drips[2].1);
    assert!(drips[2].1.contains("application/problem+json"), "{}", drips[2].1);
}

#[tokio::test]
async fn deep_and_huge_json_is_refused_and_nothing_overflows() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{{\"prompt\":\"x\",\"metadata\":{}1{}}}", open.repeat(depth), close.repeat(depth))
    };
    let cases = [
        (nested("[", "]", 200), 400),
        (nested("[", "]", 1_000_000), 400),
        (nested("{\"a\":", "}", 500_000), 400),
        ("[".repeat(5 << 20), 400),
        ("{\"a\":".repeat(1 << 20), 400),
        (json!({ "prompt": "x".repeat(9 << 20) }).to_string(), 400),
        (json!({ "prompt": "x".repeat(51 << 20) }).to_string(), 413),
        (format!("{{\"prompt\":\"x\",\"temperature\":1{}}}", "0".repeat(1 << 20)), 400),
        (format!("{{{}\"prompt\":\"x\"}}", "\"a\":1,".repeat(1 << 20)), 422),
    ];
    let before = server.resident_bytes().unwrap();
    for (number, (body, status)) in cases.into_iter().enumerate() {
        let request = client.http().post(client.url("/api/llm/prompt"));
        let answer = send(request.header("content-type", "application/json").body(body)).await;
        assert_eq!(answer.status, status, "case {number}: {}", answer.body);
        assert!(answer.body.len() < 2_000, "case {number}: {} bytes", answer.body.len());
    }
    is_well(&client).await;
    let grown = server.resident_bytes().unwrap().saturating_sub(before);
    println!("grown by {} MiB", grown >> 20);
    assert!(grown < 256 << 20, "{grown}");
}
