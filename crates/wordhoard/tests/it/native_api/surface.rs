use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::start;
use crate::raw_http::get;

#[tokio::test]
async fn health_tells_what_operators_look_for() {
    let (_home, server) = start("");
    let client = server.client();
    for (path, said) in [("/livez", "ok\n"), ("/readyz", "ready\n")] {
        let answer = get(&client, path, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, said), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    let id = client.submit("count me [demo tokens=40 rate=0]", &["demo:terse"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    let mut health = Value::Null;
    for _ in 0..500 {
        health = client.get("/api/health").await.unwrap().body;
        if health["buffer_len"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!((&health["db_ok"], &health["buffer_len"]), (&json!(true), &json!(0)), "{health}");
    assert_eq!(health["database"]["connected"], true);
    assert!(health["last_db_write"].as_str() > Some("2020"), "{health}");
    assert!(health["timestamp"].as_str() >= health["last_db_write"].as_str(), "{health}");
    assert!(health["wal_size_bytes"].as_u64() > Some(0), "{health}");
    assert!(health["services"]["storage"]["commits"].as_u64() > Some(0), "{health}");
    assert_eq!(health["services"]["shutdown"]["shutdown_initiated"], false);
}

#[tokio::test]
async fn the_openapi_document_has_every_path_and_only_paths_that_are_there() {
    let (_home, server) = start("");
    let client = server.client();
    let document = client.get("/openapi.json").await.unwrap();
    assert_eq!((document.status, document.content_type.as_str()), (200, "application/json"));
    assert!(document.body["openapi"].as_str().unwrap().starts_with("3."));
    let (mut operations, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (path, methods) in document.body["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.insert((method.as_str(), path.as_str()));
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{path}: a double id");
            assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()), "{path}");
        }
    }
    let expected = [
        ("post", "/api/llm/prompt"),
        ("post", "/api/llm/validate"),
        ("get", "/api/llm/stream/{request_id}"),
        ("get", "/api/llm/requests"),
        ("get", "/api/llm/requests/{request_id}"),
        ("post", "/api/llm/requests/{request_id}/cancel"),
        ("get", "/api/health"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
        ("get", "/api/metrics"),
        ("post", "/api/admin/maintenance/check"),
        ("get", "/openapi.json"),
        ("get", "/api/admin/operations"),
        ("post", "/api/admin/maintenance/prune"),
        ("post", "/api/admin/maintenance/wal-rotate"),
        ("post", "/api/admin/maintenance/backup"),
        ("get", "/api/admin/maintenance/backups"),
        ("post", "/api/admin/maintenance/restore/{backup_filename}"),
        ("get", "/api/admin/operations/{operation_id}"),
        ("get", "/api/admin/servers"),
        ("post", "/api/admin/servers/{server_id}/retire"),
        ("get", "/api/admin/system/status"),
        ("get", "/api/admin/keys"),
        ("post", "/api/admin/keys"),
        ("delete", "/api/admin/keys/{key_id}"),
        ("put", "/api/admin/keys/{key_id}/limits"),
        ("get", "/api/admin/fallback"),
        ("get", "/api/admin/providers"),
        ("post", "/api/admin/providers/{name}/enable"),
        ("post", "/api/admin/providers/{name}/disable"),
        ("post", "/api/admin/providers/{name}/reset"),
        ("post", "/api/admin/providers/{name}/probe"),
        ("get", "/api/admin/requests"),
        ("get", "/api/admin/requests/{request_id}"),
        ("get", "/api/admin/wal"),
        ("post", "/api/admin/wal/verify"),
        ("post", "/v1/chat/completions"),
        ("post", "/v1/embeddings"),
        ("post", "/v1/messages"),
        ("post", "/v1/messages/count_tokens"),
        ("post", "/v1/responses"),
        ("delete", "/v1/responses/{response_id}"),
        ("get", "/v1/responses/{response_id}"),
        ("post", "/v1/responses/{response_id}/cancel"),
        ("get", "/v1/models"),
        ("get", "/v1/models/{model}"),
        ("get", "/v1/responses/{response_id}/input_items"),
        ("post", "/v1/responses/compact"),
        ("head", "/"),
    ];
    assert_eq!(operations, BTreeSet::from(expected));
    for (method, path) in expected {
        let path = path.replace("{request_id}", "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11");
        let method: reqwest::Method = method.to_uppercase().parse().unwrap();
        let request = client
            .http()
            .request(method.clone(), client.url(&path))
            .header("content-type", "application/json");
        let answer = request.body("{}").send().await.unwrap();
        let (status, told) = (answer.status(), answer.text().await.unwrap());
        assert!(
            status != 405 && !told.contains("urn:wordhoard:problem:not-found"),
            "{path}: {status} {told}"
        );
    }
    for (upgrade, status) in [(true, 426), (false, 405)] {
        let mut request = client.http().get(client.url("/v1/responses"));
        if upgrade {
            request = request.header("connection", "upgrade").header("upgrade", "websocket");
        }
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    every_reference_leads_somewhere(&document.body, &document.body);
}

fn every_reference_leads_somewhere(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                let place = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
                assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|value| every_reference_leads_somewhere(document, value));
        }
        Value::Array(items) => items.iter().for_each(|item| every_reference_leads_somewhere(document, item)),
        _ => {}
    }
}
