use serde_json::json;
use wordhoard_testkit::server::ServerHome;

use super::health_once;
use crate::database::Database;
use crate::{EXE, ONE_CALL};

/// Every field of SPEC FD 6.
const FIELDS: &[&str] = &[
    "/status",
    "/timestamp",
    "/providers",
    "/database/connected",
    "/database/last_check",
    "/db_ok",
    "/buffer_len",
    "/last_flush_ms",
    "/wal_size_bytes",
    "/last_db_write",
    "/token_gap",
    "/metrics/requests/total",
    "/metrics/requests/last_24h",
    "/metrics/requests/completed",
    "/metrics/tokens/total",
    "/metrics/providers",
    "/services/consistency/token_gaps_detected",
    "/services/consistency/last_check",
    "/services/retention/wal_file_size",
    "/services/retention/backup_count",
    "/services/retention/last_prune",
    "/services/backup/last_backup_time",
    "/services/shutdown/shutdown_initiated",
];

#[tokio::test]
async fn sqlite_is_counted() {
    counts_what_sql_holds(&Database::Sqlite).await;
}

#[tokio::test]
async fn postgresql_is_counted() {
    counts_what_sql_holds(&Database::postgres().await).await;
}

async fn counts_what_sql_holds(database: &Database) {
    let home = ServerHome::new(EXE, &(database.config() + ONE_CALL)).unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    let whole = client.submit("[demo tokens=30 rate=0]", &["demo:terse"]).await.unwrap();
    let failed = client.submit("[flaky error-500]", &["demo:flaky"]).await.unwrap();
    for id in [whole, failed] {
        client.wait_for_end(&id).await.unwrap();
    }
    let health = health_once(&client, |health| health["buffer_len"] == 0 && health["db_ok"] == true).await;
    for field in FIELDS {
        assert!(health.pointer(field).is_some(), "{field} is missing: {health}");
    }
    assert_eq!(health["providers"], json!({ "demo": "closed" }));
    server.terminate().unwrap();
    assert!(server.wait(std::time::Duration::from_secs(30)).unwrap().success());

    // Counted once a minute, and at the start.
    let server = home.start().unwrap();
    let health = health_once(&server.client(), |health| health["metrics"]["counted_at"].is_string()).await;
    let metrics = &health["metrics"];
    assert_eq!(metrics["requests"], json!({ "total": 2, "last_24h": 2, "completed": 1 }));
    assert_eq!(metrics["tokens"]["total"], 30);
    assert_eq!(metrics["providers"]["demo"]["attempt_count"], 2);
    let average = metrics["providers"]["demo"]["avg_duration_seconds"].as_f64().unwrap();
    assert!((0.0..20.0).contains(&average), "{average}");
}

#[tokio::test]
async fn nothing_is_said_to_be_zero_that_was_never_counted() {
    let nowhere = "database_url = \"postgres://wordhoard@127.0.0.1:9/none\"";
    let home = ServerHome::new(EXE, nowhere).unwrap();
    let server = home.start().unwrap();
    let health = server.client().get("/api/health").await.unwrap().body;
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["metrics"]["requests"]["total"], json!(null));
    assert_eq!(health["token_gap"], json!(null));
}
