//! How fast the server brings its log into SQL after an outage, beside what each database does with the same rows when
//! nothing else is asked of it: `\copy` by psql and single-row INSERTs by pgbench; a bare loop of prepared INSERTs.
//!
//! One server records while SQL is away. Its log is then applied into fresh databases, in turns with the baseline, so
//! that a machine that changes its mind hits both; the median counts. The whole server runs: reading and decoding of
//! the log, the applied position, and the check that begins beside it are in the time.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark prints, and fails by panicking"
)]

#[path = "apply/baseline.rs"]
mod baseline;

use std::path::Path;
use std::time::{Duration, Instant};

use wordhoard_model::Timestamp;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

const EXE: &str = env!("CARGO_BIN_EXE_wordhoard");
const REQUESTS: usize = 1_000;
const TOKENS: u64 = 2_000;
const ROUNDS: usize = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let provider = MisbehavingProvider::start().unwrap();
    // No checkpoint and no vacuum in the middle of one of the two.
    let cluster = Postgres::builder()
        .setting("max_wal_size", "16GB")
        .setting("checkpoint_timeout", "1h")
        .setting("autovacuum", "off")
        .setting("shared_buffers", "256MB")
        .start()
        .await;
    // One segment, so that nothing of the log is let go between the rounds.
    let config = |database: &str| {
        format!(
            "database_url = {database:?}\nlimits = {{ wal_segment = \"384MiB\" }}\n[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true",
            provider.base_url()
        )
    };
    cluster.stop().await;
    let home = ServerHome::new(EXE, &config(&cluster.url())).unwrap();
    record(home.start().unwrap()).await;
    cluster.start_again().await;
    postgres(&home, &cluster, config).await;
    sqlite(&home, &cluster, config).await;
}

/// Fills the log.
async fn record(server: ServerProcess) {
    let (client, started) = (server.client(), Instant::now());
    for request in 0..REQUESTS {
        let prompt = format!("Tell me of the word hoard, request {request}");
        while client.submit(&prompt, &[&format!("mock:ok-{TOKENS}")]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    loop {
        let health = client.get("/api/health").await.unwrap().body;
        if health["running_requests"] == 0 {
            let expected = REQUESTS as u64 * (TOKENS + 4);
            assert_eq!(health["buffer_len"], expected, "{health}");
            println!(
                "{expected} events in the log, {} MiB, recorded in {:.0} s; {} MiB resident",
                health["wal_size_bytes"].as_u64().unwrap() >> 20,
                started.elapsed().as_secs_f64(),
                server.resident_bytes().unwrap() >> 20
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn postgres(home: &ServerHome, cluster: &Postgres, config: impl Fn(&str) -> String) {
    let rows = tempfile::NamedTempFile::new().unwrap();
    let (mut ours, mut copies) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (applied, copied) = (format!("applied_{round}"), format!("copied_{round}"));
        let url = cluster.create_database(&applied).await;
        ours.push(apply(home, &config(&url)).await);
        if round == 0 {
            baseline::export(cluster, &url, rows.path());
        }
        let url = migrated(home, &cluster.create_database(&copied).await);
        copies.push(baseline::copy(cluster, &url, rows.path()));
        for database in [applied, copied] {
            cluster.psql(&["-c", &format!("DROP DATABASE {database} WITH (FORCE)")]).await;
        }
        cluster.psql(&["-c", "CHECKPOINT"]).await;
    }
    tell("PostgreSQL", "\\copy", &mut ours, &mut copies, 0.60);
    let insert =
        baseline::single_inserts(cluster, &migrated(home, &cluster.create_database("inserts").await));
    println!("            single-row INSERTs by pgbench {insert:>8.0} rows/s");
}

async fn sqlite(home: &ServerHome, cluster: &Postgres, config: impl Fn(&str) -> String) {
    let url = cluster.create_database("export").await;
    apply(home, &config(&url)).await;
    let rows = baseline::rows(cluster, &url);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("sqlite:{}", dir.path().join(name).display());
        ours.push(apply(home, &config(&url("applied.db"))).await);
        migrated(home, &url("bare.db"));
        bare.push(baseline::bare_loop(&dir.path().join("bare.db"), &rows));
    }
    tell("SQLite", "bare loop", &mut ours, &mut bare, 0.70);
}

/// A fresh database with the server's schema.
fn migrated(home: &ServerHome, url: &str) -> String {
    let output = home.run(&["migrate", "--database-url", url]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    url.to_owned()
}

/// Starts the server on a fresh database: from the moment at which it can write there until all is there.
async fn apply(home: &ServerHome, config: &str) -> Duration {
    home.configure(config).unwrap();
    let mut server = home.start().unwrap();
    let client = server.client();
    while !is_applied(&client).await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let linked = linked_at(&server);
    server.terminate().unwrap();
    server.wait(Duration::from_secs(60)).unwrap();
    Duration::from_millis(now - linked)
}

async fn is_applied(client: &Client) -> bool {
    let health = client.get("/api/health").await.unwrap().body;
    health["db_ok"] == true && health["buffer_len"] == 0
}

fn linked_at(server: &ServerProcess) -> u64 {
    let log = server.log().unwrap();
    let linked = log.iter().find(|line| line["message"] == "SQL can be written").unwrap();
    let at: Timestamp = linked["timestamp"].as_str().unwrap().parse().unwrap();
    u64::try_from(at.as_millis()).unwrap()
}

fn tell(name: &str, beside: &str, ours: &mut [Duration], theirs: &mut [Duration], goal: f64) {
    let rate = |times: &mut [Duration]| {
        times.sort_unstable();
        (REQUESTS as u64 * TOKENS) as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (ours, theirs) = (rate(ours), rate(theirs));
    println!(
        "{name:<11} applied {ours:>8.0} rows/s   {beside} {theirs:>8.0} rows/s   ratio {:.2} (goal {goal:.2})",
        ours / theirs
    );
}

/// A path as SQL and psql quote it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
