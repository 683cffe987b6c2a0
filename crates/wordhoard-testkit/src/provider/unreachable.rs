use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// An address that takes no connection: its queue is full, and nobody accepts. A caller's SYN gets no answer, as
/// behind a firewall that drops.
#[derive(Debug)]
pub struct NeverAccepting {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl NeverAccepting {
    /// Takes a free port of 127.0.0.1 and fills its queue.
    ///
    /// # Errors
    /// Where no port can be had, or the queue does not fill.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queue = Vec::new();
        for _ in 0..64 {
            match timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
                Ok(connected) => queue.push(connected?),
                Err(_) => {
                    return Ok(Self { address, _listener: listener, _queue: queue });
                }
            }
        }
        Err(io::Error::other("the queue of the listener does not fill"))
    }

    /// What a provider's `base_url` has to be.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}
