//! What a server says of itself to the others on its database.

use std::net::SocketAddr;

use wordhoard_store::ServerProfile;

use crate::config::Config;

/// Where the kernel says what the machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Without a listening address it serves nobody, and has none.
pub(super) fn of(config: &Config, listening: Option<SocketAddr>) -> ServerProfile {
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default().trim().to_owned();
    let listening = listening.map(|address| match address.ip().is_unspecified() {
        true if !host.is_empty() => format!("http://{host}:{}", address.port()),
        _ => format!("http://{address}"),
    });
    let address = config.advertised_url.clone().filter(|_| listening.is_some()).or(listening);
    ServerProfile {
        address: address.unwrap_or_default(),
        host,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
