//! What SQL has lost: found, listed, put back where the log still has it, and never passed over in silence.

mod admin_call;
mod gaps;
mod unknown;

use std::time::Duration;

use serde_json::Value;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

const PATIENCE: Duration = Duration::from_secs(20);

/// `wordhoard check --json` with these options: its exit code, and what it says.
fn check(home: &ServerHome, options: &[&str]) -> (i32, Value) {
    let output = home.run(&[&["check", "--json"], options].concat()).unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), report)
}

fn stop(mut server: ServerProcess) {
    server.terminate().unwrap();
    assert!(server.wait(PATIENCE).unwrap().success());
}

/// Whether a server has logged a warning with this message, and with this in the rest of it.
fn warned(server: &ServerProcess, message: &str, part: &str) -> bool {
    let log = server.log().unwrap();
    let mut warnings = log.iter().filter(|line| line["level"] == "WARN" && line["message"] == message);
    warnings.any(|line| line.to_string().contains(part))
}
