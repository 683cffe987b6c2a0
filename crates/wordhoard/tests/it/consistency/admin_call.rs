use std::time::Duration;

use futures_util::future::join_all;
use wordhoard_testkit::client::Client;

use crate::database::Database;

const KEY: &str = "an administrator's key of a good length";
const CHECK: &str = "/api/admin/maintenance/check?full=true";

#[tokio::test]
async fn needs_the_administrator() {
    let mut home = Database::Sqlite.home();
    let server = home.start().unwrap();
    let refused = server.client().post(CHECK, &serde_json::json!({})).await.unwrap();
    assert_eq!((refused.status, refused.content_type.as_str()), (401, "application/problem+json"));
    drop(server);

    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let client = server.client();
    for stranger in [client.clone(), client.with_key(&KEY[1..]).unwrap(), client.with_key("").unwrap()] {
        let refused = stranger.post(CHECK, &serde_json::json!({})).await.unwrap();
        assert_eq!((refused.status, refused.content_type.as_str()), (401, "application/problem+json"));
        assert_eq!(stranger.get("/api/admin/operations/none").await.unwrap().status, 401);
    }
    let administrator = client.with_key(KEY).unwrap();
    assert_eq!(administrator.get("/api/admin/operations/none").await.unwrap().status, 404);
}

#[tokio::test]
async fn finds_and_repairs_beside_the_traffic() {
    let mut home = Database::Sqlite.home();
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    let id = client.submit("called for [demo tokens=20 rate=1000]", &["demo:brisk"]).await.unwrap();
    let seen = client.read_to_end(&id, None).await.unwrap();
    in_sql(&client).await;
    let sql = format!("DELETE FROM llm_token_log WHERE request_id = {}", Database::Sqlite.id(&id));
    Database::Sqlite.execute(&home, &sql).await;

    let calls = join_all((0..8).map(|_| client.post(CHECK, &serde_json::Value::Null))).await;
    let mut calls: Vec<_> = calls.into_iter().map(Result::unwrap).collect();
    calls.sort_by_key(|call| call.status);
    assert!(calls.iter().all(|call| matches!(call.status, 202 | 409)), "{calls:?}");
    println!("refused while one ran: {} of 8", calls.iter().filter(|call| call.status == 409).count());
    let accepted = calls.iter().filter(|call| call.status == 202);
    let mut repaired = 0;
    for call in accepted {
        let operation = end_of(&client, call.location.as_deref().unwrap()).await;
        assert_eq!(operation["result"]["finding_count"], 0, "{operation}");
        repaired += operation["result"]["repaired_events"].as_u64().unwrap();
    }
    assert_eq!(repaired, 20);
    assert_eq!(client.read_to_end(&id, None).await.unwrap(), seen);
    assert_eq!(client.get("/api/health").await.unwrap().body["token_gap"], false);
}

async fn in_sql(client: &Client) {
    while client.get("/api/health").await.unwrap().body["buffer_len"] != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn end_of(client: &Client, operation: &str) -> serde_json::Value {
    loop {
        let answer = client.get(operation).await.unwrap();
        assert_eq!((answer.status, &answer.body["kind"]), (200, &"check".into()), "{}", answer.body);
        match answer.body["status"].as_str().unwrap() {
            "running" => tokio::time::sleep(Duration::from_millis(10)).await,
            status => {
                assert_eq!(status, "finished", "{}", answer.body);
                return answer.body;
            }
        }
    }
}
