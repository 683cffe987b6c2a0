//! The calls of administrators: keys, provider switches, requests, the log, operations.

mod key_limits;
mod keys;
mod providers;
mod views;

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

const KEY: &str = "an administrator's key of a good length";

/// A server with an administrator, and his client.
pub(crate) fn start(home: &mut ServerHome) -> (ServerProcess, Client) {
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let admin = server.client().with_key(KEY).unwrap();
    (server, admin)
}

async fn post(client: &Client, path: &str) -> (u16, Value) {
    let answer = client.post(path, &Value::Null).await.unwrap();
    (answer.status, answer.body)
}
