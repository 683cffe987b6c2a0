use std::time::{Duration, Instant};

use wordhoard_testkit::client::Client;
use wordhoard_testkit::provider::MisbehavingProvider;

use super::{mock_table, start};

/// Reads a stream until it has been silent and then said something, and gives that with the length of the silence.
/// Silence begins with the last byte before it.
async fn after_silence(client: &Client, path: &str) -> (String, Duration) {
    let mut response = client.http().get(client.url(path)).send().await.unwrap();
    let mut last = Instant::now();
    loop {
        let chunk = response.chunk().await.unwrap().expect("the stream ended");
        let silent = std::mem::replace(&mut last, Instant::now()).elapsed();
        if silent > Duration::from_secs(5) {
            return (String::from_utf8(chunk.to_vec()).unwrap(), silent);
        }
    }
}

/// Also where another lane, which this reader does not want, goes on talking.
#[tokio::test]
async fn a_silent_stream_says_every_15_seconds_that_it_lives() {
    let mock = MisbehavingProvider::start().unwrap();
    let (_home, server) = start(&mock_table(&mock.base_url()));
    let client = server.client();
    let id = client.submit("hush", &["mock:stall-after-2", "mock:paced-1000x40"]).await.unwrap();
    let quiet = client.submit("hush", &["mock:stall-after-2"]).await.unwrap();
    let (whole, lane) = (format!("/api/llm/stream/{quiet}"), format!("/api/llm/stream/{id}?lane=0"));
    let (whole, lane) = tokio::join!(after_silence(&client, &whole), after_silence(&client, &lane));
    for (said, silent) in [whole, lane] {
        // One newline only: glued to the next event, as some clients need it.
        assert_eq!(said, ": ka\n");
        assert!((14..20).contains(&silent.as_secs()), "{silent:?}");
    }
}
