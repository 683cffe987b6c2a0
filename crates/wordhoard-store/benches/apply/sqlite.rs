use std::time::{Duration, Instant};

use rusqlite::Connection;
use wordhoard_store::{SqliteStore, Store};

use crate::load::{AT, Load};
use crate::rate;

const ROUNDS: usize = 3;

pub async fn whole(load: &Load) {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let store = migrated(&dir, "ours.db").await;
        let batches = load.batches.clone();
        let began = Instant::now();
        for batch in batches {
            store.apply(batch).await.unwrap();
        }
        ours.push(began.elapsed());
        store.close().await;

        migrated(&dir, "bare.db").await.close().await;
        bare.push(bare_loop(load, &dir));
    }
    let (apply, bare) = (rate(load.tokens, &mut ours), rate(load.tokens, &mut bare));
    println!(
        "SQLite      apply {apply:>9.0} tokens/s   bare loop {bare:>9.0}   ratio {:.2} (goal 0.70)",
        apply / bare
    );
}

async fn migrated(dir: &tempfile::TempDir, name: &str) -> SqliteStore {
    let store = SqliteStore::new(&dir.path().join(name)).unwrap();
    store.migrate(AT).await.unwrap();
    store
}

/// With the settings of the store, in transactions of 1,000 rows.
fn bare_loop(load: &Load, dir: &tempfile::TempDir) -> Duration {
    let mut connection = Connection::open(dir.path().join("bare.db")).unwrap();
    let settings = "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 4000;
        PRAGMA cache_size = -4096";
    connection.execute_batch(settings).unwrap();
    let rows = "CREATE TABLE token_rows (request_id BLOB, attempt_seq INTEGER, token_index INTEGER, seq INTEGER, at INTEGER,
        kind TEXT, text TEXT, PRIMARY KEY (request_id, attempt_seq, token_index)) WITHOUT ROWID";
    connection.execute_batch(rows).unwrap();
    let rows: Vec<_> = load.rows().collect();
    let began = Instant::now();
    for thousand in rows.chunks(1_000) {
        let transaction = connection.transaction().unwrap();
        let mut insert = transaction
            .prepare_cached("INSERT INTO token_rows (request_id, attempt_seq, token_index, seq, at, kind, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .unwrap();
        for (id, event, token) in thousand {
            let (index, seq) = (token.token_index.0 as i64, event.seq.0 as i64);
            let values = (
                id.as_bytes(),
                token.attempt_seq.0,
                index,
                seq,
                event.at.as_millis(),
                token.kind.as_str(),
                &token.text,
            );
            insert.execute(values).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    began.elapsed()
}
