use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use wordhoard_model::RequestId;
use wordhoard_store::{PostgresStore, Store};
use wordhoard_testkit::postgres::Postgres;

use crate::load::{self, AT, Load};
use crate::rate;

const ROUNDS: usize = 5;

/// What the baselines write: a row for each token.
const TOKEN_ROWS: &str =
    "CREATE TABLE token_rows (request_id uuid, attempt_seq bigint, token_index bigint, seq bigint,
    at timestamptz, kind text, text text, PRIMARY KEY (request_id, attempt_seq, token_index))";

async fn server() -> Postgres {
    // No checkpoint and no vacuum in the middle of one of the two.
    Postgres::builder()
        .setting("max_wal_size", "8GB")
        .setting("checkpoint_timeout", "1h")
        .setting("autovacuum", "off")
        .setting("shared_buffers", "256MB")
        .start()
        .await
}

async fn migrated(server: &Postgres, database: &str) -> (String, PostgresStore) {
    let url = server.create_database(database).await;
    let store = PostgresStore::new(&url).unwrap();
    store.migrate(AT).await.unwrap();
    (url, store)
}

pub async fn whole(load: &Load) {
    let server = server().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text_rows(load)).unwrap();
    let (mut ours, mut copies) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (_, store) = migrated(&server, &format!("ours_{round}")).await;
        let batches = load.batches.clone();
        let began = Instant::now();
        for batch in batches {
            store.apply(batch).await.unwrap();
        }
        ours.push(began.elapsed());
        store.close().await;

        let (url, store) = migrated(&server, &format!("copy_{round}")).await;
        store.close().await;
        let began = Instant::now();
        let columns = "request_id, attempt_seq, token_index, seq, at, kind, text";
        psql(&server, &url, &["-c", TOKEN_ROWS]);
        let copy = format!("\\copy token_rows ({columns}) from '{}'", file.path().display());
        psql(&server, &url, &["-c", &copy]);
        copies.push(began.elapsed());
        for database in ["ours", "copy"] {
            server.psql(&["-c", &format!("DROP DATABASE {database}_{round} WITH (FORCE)")]).await;
        }
        server.psql(&["-c", "CHECKPOINT"]).await;
    }
    let (apply, copy) = (rate(load.tokens, &mut ours), rate(load.tokens, &mut copies));
    let insert = single_inserts(&server).await;
    println!(
        "PostgreSQL  apply {apply:>9.0} tokens/s   \\copy {copy:>9.0}   ratio {:.2} (goal 0.60)",
        apply / copy
    );
    println!(
        "            single INSERTs by pgbench {insert:>9.0}   apply is {:.0} times as fast",
        apply / insert
    );
}

/// The file that `COPY` reads, as it would write it.
fn text_rows(load: &Load) -> String {
    let mut text = String::new();
    for (id, event, token) in load.rows() {
        let (attempt, index, seq) = (token.attempt_seq, token.token_index, event.seq);
        writeln!(text, "{id}\t{attempt}\t{index}\t{seq}\t{}\t{}\t{}", event.at, token.kind, token.text)
            .unwrap();
    }
    text
}

async fn single_inserts(server: &Postgres) -> f64 {
    let (url, store) = migrated(server, "inserts").await;
    store.close().await;
    psql(server, &url, &["-c", "CREATE SEQUENCE place", "-c", TOKEN_ROWS]);
    let script = tempfile::NamedTempFile::new().unwrap();
    let insert = format!(
        "INSERT INTO token_rows VALUES ('{}', 1, nextval('place'), currval('place'), now(), 'text', ' word');",
        RequestId::generate(AT)
    );
    std::fs::write(script.path(), insert).unwrap();
    let output = Command::new(server.bin_dir().join("pgbench"))
        .args(["-n", "-M", "prepared", "-T", "5", "-f"])
        .arg(script.path())
        .arg(&url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

fn psql(server: &Postgres, url: &str, args: &[&str]) {
    let mut command = Command::new(server.bin_dir().join("psql"));
    let output = command.args(["-X", "-q", "-d", url]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Batches of so many runs of tokens, by either way of writing them.
pub async fn small() {
    let server = server().await;
    println!("{:>8} {:>14} {:>14} {:>14}", "runs", "INSERT µs", "COPY µs", "INSERT/COPY");
    for (place, count) in [4, 8, 16, 32, 64, 128, 256].into_iter().enumerate() {
        let mut medians = Vec::new();
        for (way, from) in [("insert", usize::MAX), ("copy", 0)] {
            let (_, store) = migrated(&server, &format!("{way}_{place}")).await;
            let store = store.copy_from(from);
            let mut times = apply_pieces(&store, count).await;
            store.close().await;
            times.sort_unstable();
            medians.push(times[times.len() / 2].as_secs_f64() * 1e6);
        }
        println!("{count:>8} {:>14.0} {:>14.0} {:>14.2}", medians[0], medians[1], medians[0] / medians[1]);
    }
}

async fn apply_pieces(store: &PostgresStore, runs: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    let (mut from, rounds) = (0, 40);
    for round in 0..rounds {
        let batch = load::runs(from, runs);
        from = batch.through;
        let began = Instant::now();
        store.apply(batch).await.unwrap();
        // The first ones prepare, and warm up.
        if round >= 10 {
            times.push(began.elapsed());
        }
    }
    times
}
