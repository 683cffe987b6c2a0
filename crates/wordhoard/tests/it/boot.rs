//! The start: its steps, what it answers meanwhile, what stops it and what does not, and how long it takes.

mod refusal;
mod size;
mod steps;
mod weak_settings;

use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerProcess;

const PATIENCE: Duration = Duration::from_secs(30);
const STEPS: [&str; 7] = ["lock", "listen", "log", "database", "apply", "recovery", "consistency"];

/// Waits until it is ready, and gives the time since `started`.
async fn ready(server: &ServerProcess, started: Instant) -> Duration {
    let client = server.client();
    while !client.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
        assert!(started.elapsed() < PATIENCE, "it does not get ready: {:?}", server.log());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    started.elapsed()
}

async fn health(client: &Client) -> Value {
    client.get("/api/health").await.unwrap().body
}

/// Names and states of the steps, in their order.
fn steps(health: &Value) -> Vec<(String, String)> {
    let steps = health["services"]["boot"]["steps"].as_array().unwrap();
    let text = |step: &Value, field: &str| step[field].as_str().unwrap().to_owned();
    steps.iter().map(|step| (text(step, "name"), text(step, "state"))).collect()
}
