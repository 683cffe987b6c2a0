use wordhoard_testkit::server::ServerHome;

use super::health_once;
use crate::EXE;
use crate::raw_http::get;

#[tokio::test]
async fn a_server_whose_log_has_no_room_lives_and_is_not_ready() {
    let home = ServerHome::new(EXE, "[limits]\ndisk_reserve = \"100000TiB\"").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    assert_eq!(get(&client, "/livez", &[]).await.status, 200);
    let ready = get(&client, "/readyz", &[]).await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "not ready: the disk of the log is full\n"));
    let refused = client.submit("hello", &["demo:terse"]).await.unwrap_err().to_string();
    assert!(refused.starts_with("503"), "{refused}");
    let health = health_once(&client, |health| health["db_ok"] == true).await;
    assert_eq!(
        (&health["status"], &health["services"]["storage"]["state"]),
        (&"degraded".into(), &"full".into())
    );
    let page = get(&client, "/metrics", &[]).await.body;
    for line in [
        "wordhoard_ready 0",
        "wordhoard_storage_state{state=\"full\"} 1",
        "wordhoard_storage_state{state=\"open\"} 0",
        "llm_prompts_total{result=\"storage\"} 1",
    ] {
        assert!(page.lines().any(|one| one == line), "{line}: {page}");
    }
}

#[tokio::test]
async fn a_server_that_still_starts_is_seen_and_is_not_ready() {
    // Where all is shown only once SQL has it, the start waits for SQL.
    let config = "durability = \"database\"\ndatabase_url = \"postgres://wordhoard@127.0.0.1:9/none\"";
    let home = ServerHome::new(EXE, config).unwrap();
    let server = home.spawn().unwrap();
    let client = server.client();
    while client.get("/livez").await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(get(&client, "/readyz", &[]).await.status, 503);
    assert_eq!(get(&client, "/api/health", &[]).await.json()["status"], "degraded");
    let page = get(&client, "/metrics", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("\nwordhoard_ready 0\n"), "{}", page.body);
    assert!(page.body.contains("\nprocess_resident_memory_bytes "), "{}", page.body);
}
