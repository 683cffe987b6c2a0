use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Dialect, ReceivedCall};

const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Reads the next request of a connection; none where the peer closed it between two.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    peer: SocketAddr,
) -> io::Result<Option<ReceivedCall>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Err(bad("the head is too long"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(bad("the head is cut")) };
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let headers: Vec<(String, String)> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    if length > MAX_BODY_BYTES {
        return Err(bad("the body is too long"));
    }
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(bad("the body is cut"));
        }
    }
    let body: Value = serde_json::from_slice(&body[..length]).unwrap_or(Value::Null);
    let path = head.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let of_path = Dialect::of_path(path);
    let (dialect, model_in_path) = of_path.clone().unwrap_or((Dialect::Chat, None));
    let model_in_body = body["model"].as_str().filter(|_| of_path.is_some()).map(str::to_owned);
    let model = model_in_path.or(model_in_body).unwrap_or_default();
    Ok(Some(ReceivedCall {
        model,
        prompt: dialect.prompt(&body),
        path: path.to_owned(),
        dialect,
        at: Instant::now(),
        nth: 0,
        headers,
        peer,
        body,
        aborted_by_peer: false,
        ended: false,
    }))
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
