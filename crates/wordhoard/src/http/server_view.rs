//! Another server on the database, as callers see it whose request it has.

use serde_json::{Value, json};
use wordhoard_engine::ServerReport;

/// Which it is, how, and where it is called.
pub(super) fn server_view(server: &ServerReport) -> Value {
    json!({
        "state": server.state.as_str(),
        "server_id": server.log.to_string(),
        "address": server.profile.address,
        "silent_seconds": server.silent_for.as_secs(),
    })
}
