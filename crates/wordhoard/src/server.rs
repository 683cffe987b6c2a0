//! The accept loop: connections with limits on their number, their headers, their patience and their end.
//!
//! Our own instead of `axum::serve`, which has no header timeout, and whose shutdown an open stream holds up for ever.

mod guarded_io;
mod listener;
mod open_files;
mod places;
mod stage;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use guarded_io::GuardedIo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
pub(crate) use listener::Listener;
use places::{Place, Places};
pub(crate) use stage::Stage;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wordhoard_engine::{TaskKind, Tasks};

use crate::config::Limits;

/// The largest header block, in bytes; also how much of a stream a connection buffers for a client that does not read.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Streams that one HTTP/2 connection may have open.
const MAX_H2_STREAMS: u32 = 256;
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams of one HTTP/2 connection that its client has reset before we had looked at them; past it the client is sent
/// away (CVE-2023-44487, rapid reset).
const MAX_H2_PENDING_RESETS: usize = 20;
/// Streams of one HTTP/2 connection that we have reset because of what the client sent; past it the client is sent away.
const MAX_H2_LOCAL_RESETS: usize = 128;
/// Header lines of one request.
pub(crate) const MAX_HEADERS: usize = 100;
/// Waits after an error of `accept` that has to do with us (too many open files), not with one client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of the connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A connection, and its place among those that may be open.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    place: Place,
}

/// A server that does not accept yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Listener,
    limits: Limits,
    tasks: Tasks,
}

impl Server {
    pub(crate) fn new(listener: Listener, limits: Limits, tasks: Tasks) -> Self {
        Self { listener, limits, tasks }
    }

    /// Serves until `stop`; then lets open connections end, for as long as `patience`, and closes the rest.
    pub(crate) async fn serve(self, stage: Stage, stop: CancellationToken, patience: Duration) {
        let graceful = GracefulShutdown::new();
        let places = Places::new(open_files::room_for(self.limits.connections));
        let cut = CancellationToken::new();
        loop {
            // A place first, then a connection: while all are busy, clients wait in the kernel's queue.
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            match accepted {
                Ok(accepted) => self.spawn_connection(accepted, &stage, &graceful, cut.clone()),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
            tracing::info!("connections that did not end in time are closed");
        }
        cut.cancel();
    }

    async fn accept(&self, places: &Places) -> io::Result<Accepted> {
        let place = places.take().await.ok_or_else(|| io::Error::other("there are no places"))?;
        loop {
            match self.listener.socket.accept().await {
                Ok((stream, peer)) => return Ok(Accepted { stream, peer: Peer(peer.ip()), place }),
                // The client was gone before we took it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn spawn_connection(
        &self,
        accepted: Accepted,
        stage: &Stage,
        graceful: &GracefulShutdown,
        cut: CancellationToken,
    ) {
        let Accepted { stream, peer, place } = accepted;
        // Tokens are small and shall not wait for more of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let io = GuardedIo::new(stream, self.limits.header_timeout, self.limits.stalled_reader_timeout);
        let (stage, busy, leave) = (stage.clone(), place.busy(), place.has_to_leave());
        let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (answer, busy) = (stage.router().oneshot(request.map(Body::new)), busy());
            async move { answer.await.map(|answer| busy.until_the_end_of(answer)) }
        });
        let builder = self.builder();
        let connection =
            builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service)).into_owned();
        let connection = graceful.watch(connection);
        self.tasks.spawn(TaskKind::Connection, async move {
            let _place = place;
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended with an error");
                },
                () = cut.cancelled() => {}
                () = leave.cancelled() => tracing::debug!("an idle connection gives up its place"),
            }
        });
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_pending_accept_reset_streams(MAX_H2_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_H2_LOCAL_RESETS)
            .max_header_list_size(MAX_HEADER_BYTES as u32)
            .keep_alive_interval(H2_PING_INTERVAL)
            .keep_alive_timeout(H2_PING_TIMEOUT);
        builder
    }
}
