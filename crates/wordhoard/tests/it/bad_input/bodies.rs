//! Bodies that are no JSON object, and ways to send them.

use futures_util::stream;

use super::Gate;
use crate::raw_http::send;

const JSON: &str = "application/json";

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let gate = Gate::open();
    for (body, status) in [
        ("", 400),
        (" ", 400),
        ("{", 400),
        ("{\"prompt\":\"x\"", 400),
        ("{\"prompt\":\"x\"} trailing", 400),
        ("{\"prompt\":\"x\",}", 400),
        ("{'prompt':'x'}", 400),
        ("{\"prompt\":\"a\nb\"}", 400),
        ("{\"prompt\":\"\\ud800\"}", 400),
        ("{\"prompt\":\"\\udc00\\ud800\"}", 400),
        ("{\"prompt\":\"x\",\"temperature\":1e999}", 400),
        ("{\"prompt\":\"x\",\"temperature\":NaN}", 400),
        ("\u{feff}{\"prompt\":\"x\"}", 400),
        ("prompt=x", 400),
        ("[]", 422),
        ("[{\"prompt\":\"x\"}]", 422),
        ("\"prompt\"", 422),
        ("null", 422),
        ("5", 422),
    ] {
        gate.refuses(body, JSON, body, status, None).await;
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn invalid_utf8_is_refused_with_its_place() {
    let gate = Gate::open();
    for bad in [&b"\xff"[..], b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let body = [b"{\"prompt\":\"x", bad, b"\"}"].concat();
        gate.refuses(&format!("{bad:x?}"), JSON, body, 400, None).await;
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn deep_nesting_is_refused_and_harms_nobody() {
    let gate = Gate::open();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for field in ["metadata", "prompt", "models", "unknown"] {
            for depth in [200, 100_000] {
                let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let body = format!("{{\"prompt\":\"x\",\"{field}\":{value}}}");
                gate.refuses(&format!("{depth} × {open:?} in {field}"), JSON, body, 400, None).await;
            }
        }
    }
    let unclosed = format!("{{\"prompt\":{}", "[".repeat(1_000_000));
    gate.refuses("unclosed", JSON, unclosed, 400, None).await;
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let gate = Gate::open();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "text/json; application/json",
        "",
    ] {
        gate.refuses(kind, kind, "{\"prompt\":\"x\"}", 415, Some("Content-Type")).await;
    }
    let before = gate.log_length();
    let request = gate.client.http().post(gate.client.url("/api/llm/prompt"));
    let answer = send(request.body("{\"prompt\":\"x\"}")).await;
    gate.assert_refused("none", before, &answer, 415, Some("Content-Type"));
    gate.assert_nothing_stored().await;
}

fn too_long() -> String {
    format!("{{\"prompt\":\"{}\"}}", "x".repeat(51 << 20))
}

#[tokio::test]
async fn a_body_of_51_mib_is_refused_and_its_sender_learns_it() {
    let gate = Gate::open();
    for _ in 0..5 {
        gate.refuses("51 MiB", JSON, too_long(), 413, None).await;
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_body_of_51_mib_in_chunks_is_refused_too() {
    let gate = Gate::open();
    for _ in 0..5 {
        let body = too_long().into_bytes();
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            body.chunks(50_000).map(|chunk| Ok(chunk.to_vec())).collect();
        let body = reqwest::Body::wrap_stream(stream::iter(chunks));
        gate.refuses("51 MiB in chunks", JSON, body, 413, None).await;
    }
    gate.assert_nothing_stored().await;
}

/// Within the limit of the body, but far over that of the prompt.
#[tokio::test]
async fn a_body_of_49_mib_is_read_and_its_prompt_refused() {
    let gate = Gate::open();
    let body = format!("{{\"prompt\":\"{}\"}}", "x".repeat(49 << 20));
    gate.refuses("49 MiB", JSON, body, 400, Some("prompt")).await;
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_key_that_is_empty_or_too_long_is_refused() {
    let gate = Gate::open();
    for key in [String::new(), "k".repeat(256), "k".repeat(8_000)] {
        let before = gate.log_length();
        let request = gate.client.http().post(gate.client.url("/api/llm/prompt"));
        let request = request.header("content-type", JSON).header("idempotency-key", &key);
        let answer = send(request.body("{\"prompt\":\"x\"}")).await;
        gate.assert_refused(&key, before, &answer, 400, Some("Idempotency-Key"));
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_compressed_body_is_415_whatever_is_in_it() {
    let gate = Gate::open();
    for path in ["/api/llm/prompt", "/v1/chat/completions", "/v1/messages", "/v1/responses"] {
        for encoding in ["gzip", "zstd", "br, identity"] {
            let request = gate.client.http().post(gate.client.url(path));
            let request =
                request.header("content-type", "application/json").header("content-encoding", encoding);
            let answer = send(request.body("{}")).await;
            assert_eq!(answer.status, 415, "{path} {encoding}: {}", answer.body);
            assert!(answer.body.contains(encoding), "{path}: {}", answer.body);
        }
    }
    gate.assert_nothing_stored().await;
}
