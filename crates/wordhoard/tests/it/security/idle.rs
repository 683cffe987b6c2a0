//! Ten thousand connections that say nothing: as many as the server takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wordhoard_testkit::server::ServerHome;

use super::is_well;
use crate::EXE;

const CONNECTIONS: usize = 10_000;

/// As many as this process, and the server with the same limit, may have.
fn possible() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let room = maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap() - 1_000);
    let count = CONNECTIONS.min(room);
    if count < CONNECTIONS {
        println!("NOTE: the hard limit of open files allows {count} connections only, not {CONNECTIONS}");
    }
    assert!(count >= 2_000, "the hard limit of open files is too low for this test to say anything");
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_keep_nobody_out() {
    let count = possible();
    // The clock that closes silent connections shall not be what helps.
    let config = format!("limits = {{ connections = {count}, header_timeout = \"5m\" }}");
    let home = ServerHome::new(EXE, &config).unwrap();
    let server = home.start().unwrap();
    let address = server.base_url().strip_prefix("http://").unwrap().to_owned();
    let before = server.resident_bytes().unwrap();
    let started = Instant::now();
    let opening = tokio::task::spawn_blocking(move || {
        let open = |number: usize| {
            let mut stream = TcpStream::connect(&address).unwrap();
            // Some have been served once, some have begun to ask, most have said nothing.
            if number.is_multiple_of(10) {
                stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let mut answer = [0; 12];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200");
            } else if number % 10 == 1 {
                stream.write_all(b"GET /livez HT").unwrap();
            }
            stream
        };
        (0..count).map(open).collect::<Vec<_>>()
    });
    let idle = opening.await.unwrap();
    let opened = started.elapsed();
    // A stream that runs is not idle, and is not what makes room.
    let client = server.client();
    let id = client.submit("long [demo tokens=200 rate=100]", &["demo:brisk"]).await.unwrap();
    let following = {
        let (client, id) = (client.clone(), id.clone());
        async move { client.read_to_end(&id, None).await.unwrap().len() }
    };
    let asking = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..40 {
            let asked = Instant::now();
            // Each by a connection of its own.
            is_well(&server.client()).await;
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (events, slowest) = tokio::join!(following, asking);
    assert_eq!(events, 204, "the stream was cut off");
    let grown = server.resident_bytes().unwrap().saturating_sub(before);
    println!(
        "{} idle connections, opened in {opened:?}, {} KiB each; a prompt beside them took {slowest:?} at most",
        idle.len(),
        (grown >> 10) / idle.len() as u64
    );
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
