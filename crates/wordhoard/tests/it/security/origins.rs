use serde_json::json;
use wordhoard_testkit::server::ServerHome;

use super::{ADMIN_KEY, talk};
use crate::EXE;
use crate::raw_http::{get, send};

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing_and_reads_nothing() {
    let mut home = ServerHome::new(EXE, "allowed_hosts = [\"chat.example\"]").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    let client = server.client();
    let own = server.base_url().to_owned();
    let post = |path: &str, origin: &str| {
        let request = client.http().post(client.url(path)).header("origin", origin);
        let request = request.header("authorization", format!("Bearer {ADMIN_KEY}"));
        send(request.header("content-type", "application/json").body(json!({ "prompt": "x" }).to_string()))
    };
    let changing =
        ["/api/llm/prompt", "/api/llm/validate", "/api/admin/providers/demo/disable", "/api/admin/keys"];
    for path in changing {
        for origin in ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", ""] {
            let refused = post(path, origin).await;
            assert_eq!(refused.status, 403, "{path} {origin}: {}", refused.body);
            assert_eq!(refused.json()["type"], "urn:wordhoard:problem:foreign-origin");
            assert_eq!(refused.json()["field"], "Origin");
        }
    }
    let delete =
        client.http().delete(client.url("/api/admin/keys/none")).header("origin", "https://evil.example");
    assert_eq!(send(delete).await.status, 403);
    for origin in [own.as_str(), "https://chat.example"] {
        let answer = post("/api/llm/validate", origin).await;
        assert_eq!(answer.status, 200, "{origin}: {}", answer.body);
    }
    assert_eq!(client.get("/api/llm/requests").await.unwrap().body["requests"], json!([]));

    // Reading is not refused, but no browser hands it on: nothing here gives leave.
    for path in ["/api/llm/requests", "/api/health", "/openapi.json", "/api/admin/keys"] {
        let mut answers = vec![get(&client, path, &[("origin", "https://evil.example")]).await];
        let preflight = client.http().request(reqwest::Method::OPTIONS, client.url(path));
        let preflight = preflight.header("origin", "https://evil.example");
        answers.push(send(preflight.header("access-control-request-method", "POST")).await);
        assert!(matches!(answers[1].status, 401 | 405), "{path}: {}", answers[1].status);
        for answer in answers {
            let leave = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(leave, None, "{path}");
        }
    }
}

/// DNS rebinding: the name of an attacker's page points here, and the browser believes that it is of one origin.
#[tokio::test]
async fn a_rebound_name_is_refused_whatever_else_is_right() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    for (host, status) in [
        ("host: evil.example\r\norigin: http://evil.example\r\n", "421"),
        ("host: evil.example:8000\r\n", "421"),
        ("host: localhost\r\nhost: evil.example\r\n", "421"),
        ("host: evil.example\r\nhost: localhost\r\n", "421"),
        ("host: localhost, evil.example\r\n", "421"),
        ("host: evil.example\r\nx-forwarded-host: localhost\r\nforwarded: host=localhost\r\n", "421"),
        ("", "400"),
        ("host: localhost\r\n", "200"),
    ] {
        let request = format!(
            "GET /api/admin/keys HTTP/1.1\r\n{host}authorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n\r\n"
        );
        let answer = talk(server.base_url(), request.as_bytes()).unwrap();
        assert_eq!(&answer[9..12], status, "{host}: {answer}");
    }
}
