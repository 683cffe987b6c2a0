//! What health says, to whom, and how quickly.

mod figures;
mod frozen;
mod readiness;
mod refusing;
mod words;

use std::time::Duration;

use serde_json::Value;
use wordhoard_testkit::client::Client;

/// Health once this holds of it.
async fn health_once(client: &Client, holds: impl Fn(&Value) -> bool) -> Value {
    let mut health = Value::Null;
    for _ in 0..1_000 {
        health = client.get("/api/health").await.unwrap().body;
        if holds(&health) {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come to that: {health}");
}
