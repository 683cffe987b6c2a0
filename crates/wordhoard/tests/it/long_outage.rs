//! The outage of three hours, by volume: memory stays bounded, prompts are taken in, and SQL catches up many times
//! faster than the tokens came.

use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::EXE;
use crate::seed::setting;

/// A tenth of what three hours at 2,000 tokens a second are; `make soak` gives the whole.
const TOKENS: u64 = 2_000_000;
const TOKENS_OF_A_REQUEST: u64 = 1_000;
const RUNNING: u64 = 8;
/// Ten times 2,000.
const CATCH_UP_PER_SECOND: f64 = 20_000.0;
const MAX_RESIDENT_BYTES: u64 = 300 << 20;
/// What the second half may have above the first: an allocator's moods, not tokens.
const MAX_GROWTH_BYTES: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(1_800);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hours_by_volume() {
    let tokens = setting("WORDHOARD_OUTAGE_TOKENS").unwrap_or(TOKENS);
    let postgres = Postgres::builder().setting("max_wal_size", "4GB").start().await;
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", postgres.url())).unwrap();
    let server = home.start().unwrap();
    postgres.stop().await;

    let requests = record(&server, tokens).await;
    server.kill_9().unwrap();
    let booted = Instant::now();
    let server = home.start().unwrap();
    let client = server.client();
    assert_eq!(client.get("/readyz").await.unwrap().status, 200);
    println!("ready {:.1?} after a kill with that backlog, SQL still away", booted.elapsed());
    assert!(buffer_len(&client).await >= tokens, "the log has lost something");

    postgres.start_again().await;
    catch_up(&server).await;
    let sums =
        "SELECT count(*), coalesce(sum(event_count), 0)::bigint, coalesce(sum(token_count), 0)::bigint,
            (SELECT count(*) FROM llm_token_log), count(*) FILTER (WHERE status <> 'completed')
        FROM llm_requests";
    let row = postgres.client().await.query_one(sums, &[]).await.unwrap();
    let sums = [0, 1, 2, 3, 4].map(|column| row.get::<_, i64>(column) as u64);
    let in_all = requests * TOKENS_OF_A_REQUEST;
    assert_eq!(
        sums,
        [requests, in_all + 4 * requests, in_all, in_all, 0],
        "requests, events, tokens, rows, not completed"
    );
    let checked = Instant::now();
    let output = home.run(&["check", "--full", "--json"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    println!("checked in {:.1?}", checked.elapsed());
    assert_eq!(client.get("/api/health").await.unwrap().body["status"], "healthy");
}

/// Prompts, a few at a time, until that many tokens are in the log; how many prompts. All are taken in.
async fn record(server: &ServerProcess, tokens: u64) -> u64 {
    let client = server.client();
    let requests = tokens.div_ceil(TOKENS_OF_A_REQUEST);
    let (begun, mut submitted, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let mut halves = [0_u64; 2];
    loop {
        let health = client.get("/api/health").await.unwrap().body;
        let running = health["running_requests"].as_u64().unwrap();
        if submitted == requests && running == 0 {
            assert_eq!(health["db_ok"], false, "{health}");
            break;
        }
        for _ in running..RUNNING.min(running + requests - submitted) {
            let prompt = format!("outage {submitted} [demo tokens={TOKENS_OF_A_REQUEST} rate=0]");
            let asked = Instant::now();
            client.submit(&prompt, &["demo:terse"]).await.unwrap();
            slowest = slowest.max(asked.elapsed());
            submitted += 1;
        }
        let half = &mut halves[usize::from(submitted > requests / 2)];
        *half = server.resident_bytes().unwrap().max(*half);
        assert!(begun.elapsed() < PATIENCE, "recording takes too long");
    }
    let rate = tokens as f64 / begun.elapsed().as_secs_f64();
    let peak = server.peak_resident_bytes().unwrap();
    println!(
        "{tokens} tokens in {submitted} prompts recorded without SQL in {:.1?}, {rate:.0}/s; the slowest 202 after {slowest:.1?}",
        begun.elapsed()
    );
    println!(
        "resident: {} MiB in the first half, {} MiB in the second, peak {} MiB",
        halves[0] >> 20,
        halves[1] >> 20,
        peak >> 20
    );
    assert!(peak < MAX_RESIDENT_BYTES, "{peak} bytes resident");
    assert!(halves[1] < halves[0] + MAX_GROWTH_BYTES, "memory grows with the outage: {halves:?}");
    submitted
}

/// Waits until nothing waits for SQL, from the first transaction on.
async fn catch_up(server: &ServerProcess) {
    let (client, back) = (server.client(), Instant::now());
    let waiting = buffer_len(&client).await;
    while buffer_len(&client).await == waiting {
        assert!(back.elapsed() < PATIENCE, "SQL is not found again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    let mut resident = 0;
    while buffer_len(&client).await > 0 {
        assert!(back.elapsed() < PATIENCE, "it does not catch up");
        resident = server.resident_bytes().unwrap().max(resident);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = waiting as f64 / begun.elapsed().as_secs_f64();
    println!(
        "caught up in {:.1?}, {rate:.0} events/s, begun {:.1?} after SQL was back; resident at most {} MiB",
        begun.elapsed(),
        begun - back,
        resident >> 20
    );
    assert!(rate >= CATCH_UP_PER_SECOND, "only {rate:.0} events a second");
    assert!(resident < MAX_RESIDENT_BYTES, "{resident} bytes resident");
}

async fn buffer_len(client: &Client) -> u64 {
    let health: Value = client.get("/api/health").await.unwrap().body;
    health["buffer_len"].as_u64().unwrap()
}
