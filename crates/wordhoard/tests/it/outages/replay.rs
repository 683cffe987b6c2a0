use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;

use super::load::{Recorded, STREAM_MODEL};
use super::{audit, probe, scene};

const STREAMS: usize = 8;
/// Requests that only make the log long.
const BULK: usize = 120;
const BULK_TOKENS: usize = 12_000;
const KILLS: usize = 2;
const APPLIED_BETWEEN_KILLS: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(40);

/// The server dies while it brings SQL up to date, and so does the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_killed_while_it_catches_up() {
    let postgres = Postgres::start().await;
    let (home, _provider) = scene::home(&postgres.url());
    let mut server = home.start().unwrap();
    let mut recorded = Vec::new();
    for stream in 0..STREAMS {
        recorded.push(submit(&server.client(), &format!("stream {stream}"), STREAM_MODEL).await);
    }
    let streams: Vec<_> = recorded.iter().map(|one| one.id.clone()).collect();
    postgres.stop().await;
    for number in 0..BULK {
        let prompt = format!("bulk {number} [demo tokens={BULK_TOKENS} rate=0]");
        recorded.push(submit(&server.client(), &prompt, "demo:terse").await);
    }
    // All of them are followed; those that run on are cut off with the server.
    let mut left = Vec::new();
    for kill in 0..=KILLS {
        let client = server.client();
        let following = recorded.iter_mut().map(|one| one.ledger.follow(&client, &one.id));
        let happening = async {
            if kill == KILLS {
                probe::recovered(&client, "after the last kill").await;
                cancel(&client, &streams).await;
                return Some(server);
            }
            if kill == 0 {
                left.push(all_recorded(&client).await);
                postgres.start_again().await;
            }
            left.push(in_mid_replay(&client, left[kill]).await);
            server.kill_9().unwrap();
            None
        };
        let (ended, alive) = tokio::join!(join_all(following), happening);
        server = match alive {
            Some(server) => {
                assert!(ended.iter().all(|ended| *ended), "a request has no end");
                server
            }
            None => home.start().unwrap(),
        };
    }
    println!("events to catch up, at first and at each kill: {left:?}");
    probe::settled(&server.client(), "at the end").await;
    audit::sql_holds_exactly(&postgres, &recorded).await;
    let tokens: usize = recorded.iter().map(|one| one.ledger.tokens().count()).sum();
    audit::check_is_clean(&home, tokens as u64);
}

async fn submit(client: &Client, prompt: &str, model: &str) -> Recorded {
    Recorded { id: client.submit(prompt, &[model]).await.unwrap(), ..Recorded::default() }
}

async fn cancel(client: &Client, ids: &[String]) {
    for id in ids {
        let path = format!("/api/llm/requests/{id}/cancel");
        let answer = client.post(&path, &serde_json::json!({})).await.unwrap();
        assert!((200..300).contains(&answer.status), "{id}: {}", answer.body);
    }
}

async fn running(client: &Client) -> (u64, u64) {
    let health = client.get("/api/health").await.unwrap().body;
    (health["running_requests"].as_u64().unwrap(), health["buffer_len"].as_u64().unwrap())
}

/// Waits until only the streams run; how much then waits for SQL.
async fn all_recorded(client: &Client) -> u64 {
    wait_for(client, |running, _| running == STREAMS as u64).await
}

/// Waits until some of the backlog is applied and much is not; how much is left.
async fn in_mid_replay(client: &Client, left_before: u64) -> u64 {
    let left = wait_for(client, |_, left| left + APPLIED_BETWEEN_KILLS < left_before).await;
    assert!(left > 1_000, "the catch-up was over too soon for this test");
    left
}

async fn wait_for(client: &Client, is_so: impl Fn(u64, u64) -> bool) -> u64 {
    let begun = Instant::now();
    loop {
        let (running, left) = running(client).await;
        if is_so(running, left) {
            return left;
        }
        assert!(begun.elapsed() < PATIENCE, "{running} requests run, and {left} events wait for SQL");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
