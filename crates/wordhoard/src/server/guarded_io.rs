use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4). A single `P` may be its beginning.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that fails when its client sends nothing at all at first, or stops reading for too long. What comes
/// between is limited by the HTTP layer.
#[derive(Debug)]
pub(super) struct GuardedIo {
    stream: TcpStream,
    /// How much of [`HTTP2_PREFACE`] has come, and nothing else.
    preface_bytes: usize,
    /// Runs until it is clear which HTTP it is: up to there the HTTP layer waits without limit.
    first_bytes: Option<Pin<Box<Sleep>>>,
    stalled_timeout: Duration,
    /// Runs while a write waits for the client to read.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl GuardedIo {
    pub(super) fn new(stream: TcpStream, first_byte_timeout: Duration, stalled_timeout: Duration) -> Self {
        let first_bytes = Some(Box::pin(sleep(first_byte_timeout)));
        Self { stream, preface_bytes: 0, first_bytes, stalled_timeout, stalled: None }
    }

    /// Stops the clock once the bytes cannot be, or are, the whole preface of HTTP/2.
    fn look_at(&mut self, bytes: &[u8]) {
        let rest = &HTTP2_PREFACE[self.preface_bytes..];
        let same = rest.iter().zip(bytes).take_while(|(expected, byte)| expected == byte).count();
        self.preface_bytes += same;
        if same < bytes.len() || self.preface_bytes == HTTP2_PREFACE.len() {
            self.first_bytes = None;
        }
    }

    /// Watches the clock while a write is pending.
    fn guard_write<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), context) {
            self.stalled = None;
            return Poll::Ready(written);
        }
        let deadline = Instant::now() + self.stalled_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stopped reading")))
    }
}

impl AsyncRead for GuardedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let filled = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            if this.first_bytes.is_some() {
                this.look_at(&buffer.filled()[filled..]);
            }
            return Poll::Ready(read);
        }
        if let Some(first_bytes) = &mut this.first_bytes
            && first_bytes.as_mut().poll(context).is_ready()
        {
            let error =
                io::Error::new(io::ErrorKind::TimedOut, "the client sent nothing that begins a request");
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.guard_write(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.guard_write(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.guard_write(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.guard_write(context, |stream, context| stream.poll_shutdown(context))
    }
}
