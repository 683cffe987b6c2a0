//! The native API as the specification describes it.

mod cancelling;
mod idempotency;
mod keep_alive;
mod reading;
mod streaming;
mod submitting;
mod surface;

use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::EXE;

/// A server with this configuration; the home has to outlive it.
fn start(config: &str) -> (ServerHome, ServerProcess) {
    let home = ServerHome::new(EXE, config).unwrap();
    let server = home.start().unwrap();
    (home, server)
}

/// The table of a provider `mock` at that URL.
fn mock_table(base_url: &str) -> String {
    format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {base_url:?}\nallow_private = true\n"
    )
}
