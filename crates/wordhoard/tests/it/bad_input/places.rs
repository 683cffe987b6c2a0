//! Bad cursors, lanes, ids, paths and methods.

use reqwest::Method;

use super::Gate;
use crate::raw_http::{get, send};

const UNKNOWN: &str = "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11";

/// A request that has ended, with 5 events, and one that runs, with few.
async fn ended_and_running(gate: &Gate) -> (String, String) {
    let ended = gate.client.submit("[demo tokens=1 rate=0]", &["demo:terse"]).await.unwrap();
    gate.client.wait_for_end(&ended).await.unwrap();
    let running = gate.client.submit("[demo tokens=100000 rate=1]", &["demo:terse"]).await.unwrap();
    (ended, running)
}

#[tokio::test]
async fn bad_cursors_are_400_by_query_and_by_header() {
    let gate = Gate::open();
    let (ended, running) = ended_and_running(&gate).await;
    for id in [ended, running] {
        for cursor in [
            "x",
            "-1",
            "+1",
            "1.5",
            "",
            "0x1",
            "1e3",
            "%31",
            "99999",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999999",
        ] {
            let case = format!("{id} {cursor}");
            let before = gate.log_length();
            let path = format!("/api/llm/stream/{id}?starting_after={cursor}");
            let answer = get(&gate.client, &path, &[]).await;
            gate.assert_refused(&case, before, &answer, 400, Some("starting_after"));
            let before = gate.log_length();
            let path = format!("/api/llm/stream/{id}");
            let answer = get(&gate.client, &path, &[("last-event-id", cursor)]).await;
            gate.assert_refused(&case, before, &answer, 400, Some("Last-Event-ID"));
        }
    }
}

#[tokio::test]
async fn bad_parameters_are_400_by_name() {
    let gate = Gate::open();
    let (ended, _) = ended_and_running(&gate).await;
    let stream = format!("/api/llm/stream/{ended}");
    for (path, field) in [
        (format!("{stream}?lane=x"), "lane"),
        (format!("{stream}?lane=5"), "lane"),
        (format!("{stream}?lane=-1"), "lane"),
        (format!("{stream}?lane=+0"), "lane"),
        (format!("{stream}?lane=256"), "lane"),
        (format!("{stream}?lane="), "lane"),
        (format!("{stream}?lane=0&lane=0"), "lane"),
        (format!("{stream}?start_after=1"), "start_after"),
        (format!("{stream}?starting_after=1&x=1"), "x"),
        (format!("{stream}?starting_after=1&starting_after=2"), "starting_after"),
        ("/api/llm/requests?limit=0".to_owned(), "limit"),
        ("/api/llm/requests?limit=501".to_owned(), "limit"),
        ("/api/llm/requests?limit=x".to_owned(), "limit"),
        ("/api/llm/requests?limit=18446744073709551616".to_owned(), "limit"),
        ("/api/llm/requests?status=done".to_owned(), "status"),
        ("/api/llm/requests?status=".to_owned(), "status"),
        ("/api/llm/requests?before=x".to_owned(), "before"),
        ("/api/llm/requests?page=2".to_owned(), "page"),
    ] {
        let before = gate.log_length();
        let answer = get(&gate.client, &path, &[]).await;
        gate.assert_refused(&path, before, &answer, 400, Some(field));
    }
}

#[tokio::test]
async fn ids_that_are_unknown_or_none_are_404() {
    let gate = Gate::open();
    for id in [
        UNKNOWN,
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "x",
        "0",
        "0198c5b27c1e7cc3a3a50f6f0d4b9d11",
        "%7B0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11%7D",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "%F0%9F%A6%80",
        "'%20OR%201=1",
    ] {
        let paths = [
            (Method::GET, format!("/api/llm/stream/{id}")),
            (Method::GET, format!("/api/llm/stream/{id}?starting_after=3")),
            (Method::GET, format!("/api/llm/requests/{id}")),
            (Method::POST, format!("/api/llm/requests/{id}/cancel")),
        ];
        for (method, path) in paths {
            let before = gate.log_length();
            let answer = send(gate.client.http().request(method, gate.client.url(&path))).await;
            gate.assert_refused(&path, before, &answer, 404, None);
        }
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let gate = Gate::open();
    for path in [
        "/api",
        "/api/llm",
        "/api/llm/prompt/",
        "/api/llm/stream",
        "/api/llm/stream/",
        "/api/llm/stream/x/y",
        "/API/LLM/PROMPT",
        "//api/llm/requests",
        "/.env",
        "/api/admin",
    ] {
        let before = gate.log_length();
        let answer = get(&gate.client, path, &[]).await;
        gate.assert_refused(path, before, &answer, 404, None);
    }
    let stream = format!("/api/llm/stream/{UNKNOWN}");
    let request = format!("/api/llm/requests/{UNKNOWN}");
    let cancel = format!("{request}/cancel");
    for (method, path, allowed) in [
        (Method::GET, "/", "HEAD"),
        (Method::GET, "/api/llm/prompt", "POST"),
        (Method::PUT, "/api/llm/prompt", "POST"),
        (Method::GET, "/api/llm/validate", "POST"),
        (Method::POST, &*stream, "GET"),
        (Method::DELETE, &*request, "GET"),
        (Method::GET, &*cancel, "POST"),
        (Method::POST, "/api/health", "GET"),
        (Method::DELETE, "/openapi.json", "GET"),
        (Method::TRACE, "/livez", "GET"),
        (Method::OPTIONS, "/api/llm/prompt", "POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/api/llm/prompt", "POST"),
    ] {
        let before = gate.log_length();
        let case = format!("{method} {path}");
        let answer = send(gate.client.http().request(method, gate.client.url(path))).await;
        gate.assert_refused(&case, before, &answer, 405, None);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains(allowed)), "{case}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{case}");
    }
    gate.assert_nothing_stored().await;
}
