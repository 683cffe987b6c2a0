use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::server::ServerHome;

use super::{post, start};
use crate::EXE;

#[tokio::test]
async fn requests_are_listed_by_time_and_by_what_they_asked_for() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    let (_server, admin) = start(&mut home);
    let mut ids = Vec::new();
    for model in ["demo:terse", "demo:brisk", "demo:terse"] {
        let id = admin.submit("list me [demo tokens=4 rate=0]", &[model]).await.unwrap();
        admin.wait_for_end(&id).await.unwrap();
        ids.push(id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let list = async |query: &str| {
        let answer = admin.get(&format!("/api/admin/requests{query}")).await.unwrap();
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let requests = answer.body["requests"].as_array().unwrap().clone();
        requests.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [&*ids[2], &*ids[1], &*ids[0]]);
    assert_eq!(list("?model=demo:terse").await, [&*ids[2], &*ids[0]]);
    assert_eq!(list("?model=demo%3Abrisk&status=completed").await, [&*ids[1]]);
    assert_eq!(list("?provider=demo&limit=1").await, [&*ids[2]]);
    assert!(list("?provider=dem").await.is_empty());
    assert_eq!(list("?provider=demo&model=demo:terse").await, [&*ids[2], &*ids[0]]);
    assert!(list("?provider=openai&model=demo:terse").await.is_empty());
    assert!(list("?status=failed").await.is_empty());
    let middle = admin.get(&format!("/api/admin/requests/{}", ids[1])).await.unwrap().body;
    let created = middle["created_at"].as_str().unwrap();
    assert!(list("?since=2099-01-01T00:00:00Z").await.is_empty());
    assert!(list("?until=2001-01-01T00:00:00Z").await.is_empty());
    let until = list(&format!("?until={created}")).await;
    assert!(until.contains(&ids[0]) && !until.contains(&ids[2]), "{until:?}");
    let encoded = created.replace(':', "%3A");
    assert!(list(&format!("?since={encoded}&before={}", ids[2])).await.len() <= 1);
    for (query, field) in [
        ("?since=yesterday", "since"),
        ("?until=%zz", "until"),
        ("?model=terse", "model"),
        ("?provider=De%20mo", "provider"),
        ("?limit=0", "limit"),
        ("?page=2", "page"),
    ] {
        let refused = admin.get(&format!("/api/admin/requests{query}")).await.unwrap();
        assert_eq!((refused.status, refused.body["field"].as_str()), (400, Some(field)), "{query}");
    }
}

#[tokio::test]
async fn a_request_shows_its_attempts_with_counts_and_times() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    let (_server, admin) = start(&mut home);
    let id = admin.submit("show me [demo tokens=20 rate=200]", &["demo:terse", "demo:brisk"]).await.unwrap();
    let seen = admin.read_to_end(&id, None).await.unwrap();
    let shown = admin.get(&format!("/api/admin/requests/{id}")).await.unwrap();
    assert_eq!((shown.status, &shown.body["stream_url"]), (200, &json!(format!("/api/llm/stream/{id}"))));
    let attempts = shown.body["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    for attempt in attempts {
        let tokens: Vec<_> = seen
            .iter()
            .filter(|event| event.name == "token" && event.data["attempt_seq"] == attempt["attempt_seq"])
            .map(|event| event.data["ts"].clone())
            .collect();
        assert_eq!(attempt["token_count"], json!(tokens.len()));
        assert_eq!(attempt["first_token_at"], tokens[0]);
        assert_eq!(attempt["last_token_at"], tokens[tokens.len() - 1]);
        assert_eq!((&attempt["provider"], &attempt["status"]), (&json!("demo"), &json!("completed")));
    }
    let unknown = admin.get("/api/admin/requests/0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11").await.unwrap();
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn the_log_is_shown_and_verified_as_an_operation_that_can_be_watched() {
    let mut home = ServerHome::new(EXE, "limits = { wal_segment = \"1MiB\" }").unwrap();
    let (_server, admin) = start(&mut home);
    let id = admin.submit("verify me [demo tokens=50 rate=0]", &["demo:terse"]).await.unwrap();
    let events = admin.read_to_end(&id, None).await.unwrap().len() as u64;
    let wal = admin.get("/api/admin/wal").await.unwrap().body;
    // Tokens that came together are one record.
    let records = wal["durable"].as_u64().unwrap();
    assert_eq!(wal["state"], "open", "{wal}");
    assert!((5..=events).contains(&records), "{wal}");
    assert!(wal["applied"].as_u64() <= wal["durable"].as_u64(), "{wal}");
    assert!(wal["size_bytes"].as_u64() >= Some(1 << 20) && wal["free_bytes"].as_u64() > Some(0), "{wal}");

    let (status, begun) = post(&admin, "/api/admin/wal/verify").await;
    assert_eq!((status, &begun["kind"]), (202, &json!("wal-verify")));
    let place = format!("/api/admin/operations/{}", begun["operation_id"].as_str().unwrap());
    let mut ended = Value::Null;
    for _ in 0..500 {
        ended = admin.get(&place).await.unwrap().body;
        if ended["status"] != "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((&ended["status"], &ended["result"]["intact"]), (&json!("finished"), &json!(true)), "{ended}");
    assert_eq!(ended["result"]["end"], json!(records));
    let listed = admin.get("/api/admin/operations").await.unwrap().body;
    assert_eq!(listed["operations"][0], ended);

    let status = admin.get("/api/admin/system/status").await.unwrap().body;
    assert_eq!(
        (&status["database"]["state"], &status["storage"]["state"]),
        (&json!("up"), &json!("open")),
        "{status}"
    );
    assert_eq!((&status["providers"]["demo"], &status["require_keys"]), (&json!("closed"), &json!(false)));
}
