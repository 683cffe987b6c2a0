use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

/// A listening socket that may outlive the server on it: between two servers of one process, clients wait in the
/// kernel's queue. It closes with its last clone.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    asked: SocketAddr,
    pub(super) socket: Arc<TcpListener>,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { asked: address, socket: Arc::new(TcpListener::bind(address).await?) })
    }

    /// Whether it is what binding this address would give.
    pub(crate) fn is_for(&self, address: SocketAddr) -> bool {
        self.asked == address
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
