//! A database that answers, and refuses each transaction.

use std::time::{Duration, Instant};

use super::health_once;
use crate::database::Database;

#[tokio::test]
async fn a_database_that_refuses_each_transaction_is_not_up() {
    let database = Database::Sqlite;
    let home = database.home();
    let server = home.start().unwrap();
    let client = server.client();
    health_once(&client, |health| health["db_ok"] == true).await;
    database.execute(&home, "ALTER TABLE llm_token_runs RENAME TO gone").await;
    let id =
        client.submit("into a table that is gone [demo tokens=30 rate=500]", &["demo:brisk"]).await.unwrap();
    health_once(&client, |health| health["db_ok"] == false).await;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        let health = client.get("/api/health").await.unwrap().body;
        assert_eq!(health["db_ok"], false, "{health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let tries = server.output().unwrap().matches("SQL cannot be written").count();
    assert!(tries <= 3, "{tries} lines about the same thing");

    database.execute(&home, "ALTER TABLE gone RENAME TO llm_token_runs").await;
    health_once(&client, |health| health["db_ok"] == true && health["buffer_len"] == 0).await;
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
}
