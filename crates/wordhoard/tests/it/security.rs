//! What strangers, web pages and hostile clients may try, and what they get.

mod beyond_loopback;
mod canaries;
mod floods;
mod idle;
mod isolation;
mod origins;
mod own_credential;
mod rapid_reset;
mod routes;
mod smuggling;
mod ssrf;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

/// An administrator's key of the environment.
const ADMIN_KEY: &str = "canary-admin-key-0123456789-abcdefghij";

/// Makes a key on the database of a home, by the command line.
pub(crate) fn make_key(home: &ServerHome, scope: &str) -> String {
    let made = home.run(&["keys", "create", "--scope", scope]).unwrap();
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(key.starts_with("wh_") && key.len() == 67, "{key}");
    key
}

/// Sends bytes and reads what comes until the server closes the connection; none where it has not within 10 s.
fn talk(base_url: &str, bytes: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(base_url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The server may have answered and closed before it had it all.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(_) => return None,
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The server still does what it is for, and soon.
async fn is_well(client: &Client) {
    let asked = async {
        assert_eq!(client.get("/livez").await.unwrap().status, 200);
        let id = client.submit("still there? [demo tokens=3 rate=0]", &["demo:terse"]).await.unwrap();
        assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    };
    tokio::time::timeout(Duration::from_secs(5), asked).await.expect("the server is not well");
}
