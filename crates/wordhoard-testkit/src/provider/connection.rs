use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::answer::{self, After};
use super::{Calls, request};

/// Serves the requests of one connection, one after another.
pub(super) async fn serve(stream: TcpStream, calls: Calls) {
    // Whatever breaks here was meant to, or the peer went away.
    serve_requests(stream, calls).await.ok();
}

async fn serve_requests(stream: TcpStream, calls: Calls) -> io::Result<()> {
    if calls.refuses() {
        return stream.set_zero_linger();
    }
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let (mut reader, mut writer) = stream.into_split();
    while let Some(mut call) = request::read(&mut reader, peer).await? {
        // Connections from before it went down are no better.
        if calls.refuses() {
            return writer.as_ref().set_zero_linger();
        }
        let place = calls.add(&mut call);
        let answered = tokio::select! {
            answered = answer::write(&mut writer, &call) => Some(answered),
            () = closed(&mut reader) => None,
            () = calls.until_down() => Some(Ok(After::Reset)),
        };
        match answered {
            Some(Ok(After::KeepOpen)) => calls.end(place, false),
            Some(Ok(After::Close)) => {
                calls.end(place, false);
                return Ok(());
            }
            Some(Ok(After::Reset)) => {
                calls.end(place, false);
                return writer.as_ref().set_zero_linger();
            }
            Some(Err(_)) | None => {
                calls.end(place, true);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Waits until the peer closes. A caller that sends more before it has its answer is not what we serve.
async fn closed(reader: &mut OwnedReadHalf) {
    let mut rest = [0; 256];
    while matches!(reader.read(&mut rest).await, Ok(1..)) {}
}
