//! HTTP as bytes, for what a decent client would not send and for what it would hide.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;
use wordhoard_testkit::client::Client;

/// An answer as it came.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Raw {
    let response = request.send().await.unwrap();
    Raw {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

pub(crate) async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Raw {
    let request = client.http().get(client.url(path));
    let with = |request: reqwest::RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    send(headers.iter().fold(request, with)).await
}

/// Sends bytes over a connection of their own and reads until the server closes it. The request must ask for that
/// with `connection: close`, and must be so short that it is sent before an answer is due.
pub(crate) fn exchange(base_url: &str, bytes: &[u8]) -> Raw {
    let mut stream = TcpStream::connect(base_url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    match stream.write_all(bytes) {
        Ok(()) => {}
        // The server has answered before it read all, and reads no more.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
        Err(error) => panic!("{error}"),
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer did not arrive whole");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("no head came");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.trim().parse().unwrap()));
    Raw { status: status.parse().unwrap(), headers: headers.collect(), body: body.to_owned() }
}
