//! Old requests go; what is newer, or runs, stays.

mod by_call;
mod volume;

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

use crate::database::Database;
use crate::planted::{DAY_MS, Planted, now_ms};

const KEY: &str = "an administrator who prunes, 0123456789";
const CALL: &str = "/api/admin/maintenance/prune";

/// Requests from between 300 and 200 days ago.
fn old(requests: u64, tokens_each: u64) -> Planted {
    Planted { requests, tokens_each, first_ms: now_ms() - 300 * DAY_MS, step_ms: 100 * DAY_MS / requests }
}

fn administered(database: &Database) -> ServerHome {
    let mut home = database.home();
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    assert!(home.run(&["migrate"]).unwrap().status.success());
    home
}

/// What the prune reports that this command has made.
fn prune(home: &ServerHome, arguments: &[&str]) -> Value {
    let output = home.run(&[&["prune", "--json"], arguments].concat()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_consistent(home: &ServerHome) -> Value {
    let output = home.run(&["check", "--full", "--json"]).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["finding_count"]), (Some(0), &0.into()), "{report}");
    report
}

async fn end_of(client: &Client, location: &str) -> Value {
    loop {
        let operation = client.get(location).await.unwrap().body;
        if operation["status"] != "running" {
            return operation;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
