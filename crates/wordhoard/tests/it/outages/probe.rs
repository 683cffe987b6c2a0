//! What the server says of itself while SQL is away, and what it can still give.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use wordhoard_testkit::client::Client;

use super::load::{Load, USUAL_BACKLOG};

const INTERVAL: Duration = Duration::from_millis(100);
/// SPEC FD 6.
const HEALTH_PATIENCE: Duration = Duration::from_millis(100);
/// From the moment at which SQL can be used again.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);
/// By then an outage has begun, and even one that hangs is over by when the log has been asked instead.
const RESUME_AFTER: Duration = Duration::from_millis(1_000);

/// What was seen while SQL was away.
#[derive(Debug, Default)]
pub struct Seen {
    pub health: Vec<Duration>,
    pub db_down: bool,
}

/// Looks again and again until `over`.
pub async fn watch(client: &Client, over: watch::Receiver<bool>) -> Seen {
    let mut seen = Seen::default();
    while !*over.borrow() {
        let ready = client.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 200, "not ready for lack of SQL");
        let asked = Instant::now();
        let health = client.get("/api/health").await.unwrap();
        seen.health.push(asked.elapsed());
        assert_eq!(health.status, 200);
        seen.db_down |= health.body["db_ok"] == false;
        tokio::time::sleep(INTERVAL).await;
    }
    seen
}

impl Seen {
    /// All but one in a hundred, which on a machine of two cores may be the scheduler's.
    pub fn assert_quick(&mut self, outage: &str) -> Duration {
        self.health.sort_unstable();
        let most = self.health[(self.health.len() * 99 / 100).min(self.health.len().saturating_sub(2))];
        assert!(most <= HEALTH_PATIENCE, "{outage}: /api/health takes {most:?}");
        *self.health.last().unwrap()
    }
}

/// Reads a request that ended before, from its first event, while the outage lasts; how long it takes.
pub async fn resume(client: &Client, load: &Load, over: watch::Receiver<bool>) -> Duration {
    tokio::time::sleep(RESUME_AFTER).await;
    let ended = load.oldest_ended().expect("no prompt has ended yet");
    let asked = Instant::now();
    let events = client.read_to_end(&ended.id, None).await.unwrap();
    let took = asked.elapsed();
    assert!(!*over.borrow(), "an ended request could be read only after the outage");
    assert_eq!(events, ended.ledger.seen, "{}: read again while SQL is away", ended.id);
    took
}

/// Waits until the server has caught up with what goes on.
pub async fn recovered(client: &Client, outage: &str) -> Duration {
    let caught_up = |health: &Value| health["buffer_len"].as_u64().unwrap() <= USUAL_BACKLOG;
    wait_for(client, outage, caught_up).await
}

/// Waits until nothing waits for SQL any more, and all that was checked is whole.
pub async fn settled(client: &Client, outage: &str) -> Duration {
    let settled = |health: &Value| health["buffer_len"] == 0 && health["token_gap"] == false;
    wait_for(client, outage, settled).await
}

async fn wait_for(client: &Client, outage: &str, and: impl Fn(&Value) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let health = client.get("/api/health").await.unwrap().body;
        if health["db_ok"] == true && health["status"] == "healthy" && and(&health) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < RECOVERY_PATIENCE, "{outage}: no recovery: {health}");
        tokio::time::sleep(INTERVAL / 2).await;
    }
}
