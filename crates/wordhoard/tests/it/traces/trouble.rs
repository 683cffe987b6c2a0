use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::home;

/// Submits prompts until `count` have ended, and stops the server; how long both took.
async fn work_and_stop(endpoint: &str, count: usize) -> (Duration, Duration, Vec<serde_json::Value>) {
    let home = home(endpoint);
    let mut server = home.start().unwrap();
    let client = server.client();
    let begun = Instant::now();
    for _ in 0..count {
        let id = client.submit("[demo tokens=50 rate=0]", &["demo:terse", "demo:bard"]).await.unwrap();
        client.read_to_end(&id, None).await.unwrap();
    }
    let worked = begun.elapsed();
    let begun = Instant::now();
    server.terminate().unwrap();
    assert!(server.wait(Duration::from_secs(20)).unwrap().success());
    (worked, begun.elapsed(), server.log().unwrap())
}

#[tokio::test]
async fn a_collector_that_is_away_or_hangs_costs_spans_only() {
    // Takes connections, as the kernel does, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in ["http://127.0.0.1:9", silent.as_str()] {
        let (worked, stopped, log) = work_and_stop(endpoint, 20).await;
        println!("{endpoint}: 20 prompts in {worked:?}, stopped in {stopped:?}");
        assert!(worked < Duration::from_secs(15), "{endpoint}: {worked:?}");
        assert!(stopped < Duration::from_secs(8), "{endpoint}: {stopped:?}");
        let told = log.iter().filter(|line| {
            line["message"].as_str().is_some_and(|said| said.starts_with("spans cannot be sent"))
        });
        assert!(told.count() <= 1, "told again and again: {log:#?}");
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused_at_the_start() {
    let told = home("collector:4318").start().unwrap_err().to_string();
    assert!(told.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{told}");
}
