//! A database, and a way to it that goes around the store.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use wordhoard_model::{RequestId, Timestamp};
use wordhoard_store::{Batch, PostgresStore, SqliteStore, Store};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::token_edits;

use crate::story::{LOG, Story};

pub struct Database {
    pub store: Arc<dyn Store>,
    by_hand: ByHand,
}

enum ByHand {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

/// Where empty databases come from, one for each of many tests.
pub struct Backend {
    place: Place,
    count: Cell<u32>,
}

enum Place {
    Sqlite(TempDir),
    Postgres(Postgres),
}

impl Backend {
    pub fn sqlite() -> Self {
        Self { place: Place::Sqlite(tempfile::tempdir().unwrap()), count: Cell::default() }
    }

    pub async fn postgres() -> Self {
        let cluster = Postgres::builder().setting("fsync", "off").start().await;
        Self { place: Place::Postgres(cluster), count: Cell::default() }
    }

    /// Another empty database.
    pub async fn empty(&self) -> Database {
        self.count.update(|count| count + 1);
        let name = format!("empty{}", self.count.get());
        match &self.place {
            Place::Sqlite(dir) => {
                let dir = dir.path().join(name);
                std::fs::create_dir(&dir).unwrap();
                Database::sqlite(&dir).await
            }
            Place::Postgres(cluster) => Database::postgres(cluster, &name).await,
        }
    }
}

impl Database {
    pub async fn sqlite(dir: &Path) -> Self {
        let path = dir.join("wordhoard.db");
        let store = SqliteStore::new(&path).unwrap();
        store.migrate(Timestamp::from_millis(1)).await.unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(token_edits::SQLITE).unwrap();
        let by_hand = ByHand::Sqlite(connection);
        Self { store: Arc::new(store), by_hand }
    }

    /// A fresh one in the cluster.
    pub async fn postgres(cluster: &Postgres, name: &str) -> Self {
        let url = cluster.create_database(name).await;
        let store = PostgresStore::new(&url).unwrap();
        store.migrate(Timestamp::from_millis(1)).await.unwrap();
        let client = Postgres::connect(&url).await.unwrap();
        client.batch_execute(token_edits::POSTGRES).await.unwrap();
        let by_hand = ByHand::Postgres(client);
        Self { store: Arc::new(store), by_hand }
    }

    /// Runs one statement; gives the rows that it changed, or on SQLite no fewer: a change of a token is several.
    pub async fn run(&self, sql: &str) -> u64 {
        match &self.by_hand {
            ByHand::Sqlite(connection) => {
                let before = connection.total_changes();
                connection.execute(sql, []).unwrap();
                connection.total_changes() - before
            }
            ByHand::Postgres(client) => client.execute(sql, &[]).await.unwrap(),
        }
    }

    /// Runs any number of statements in one transaction.
    pub async fn run_all(&self, statements: &[String]) {
        let script = format!("BEGIN; {}; COMMIT", statements.join(";"));
        match &self.by_hand {
            ByHand::Sqlite(connection) => connection.execute_batch(&script).unwrap(),
            ByHand::Postgres(client) => client.batch_execute(&script).await.unwrap(),
        }
    }

    /// A number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        match &self.by_hand {
            ByHand::Sqlite(connection) => connection.query_row(sql, [], |row| row.get(0)).unwrap(),
            ByHand::Postgres(client) => client.query_one(sql, &[]).await.unwrap().get(0),
        }
    }

    /// The rows of a request in the view of tokens: attempt, index, `seq`, milliseconds since 1970, kind, text.
    pub async fn tokens(&self, id: RequestId) -> Vec<(i64, i64, i64, i64, String, String)> {
        let at = match &self.by_hand {
            ByHand::Sqlite(_) => "at",
            ByHand::Postgres(_) => "(extract(epoch FROM at) * 1000)::bigint",
        };
        let sql = format!(
            "SELECT attempt_seq, token_index, seq, {at}, kind, text FROM llm_token_log WHERE {} ORDER BY seq",
            self.is(id)
        );
        match &self.by_hand {
            ByHand::Sqlite(connection) => {
                let mut statement = connection.prepare(&sql).unwrap();
                let row = |row: &rusqlite::Row<'_>| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                };
                statement.query_map([], row).unwrap().map(Result::unwrap).collect()
            }
            ByHand::Postgres(client) => {
                let rows = client.query(&sql, &[]).await.unwrap();
                let row = |row: &tokio_postgres::Row| {
                    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5))
                };
                rows.iter().map(row).collect()
            }
        }
    }

    /// A number that a query gives; only PostgreSQL counts what its plans do.
    pub async fn postgres_number(&self, sql: &str) -> Option<i64> {
        match &self.by_hand {
            ByHand::Sqlite(_) => None,
            ByHand::Postgres(client) => client.query_one(sql, &[]).await.unwrap().get(0),
        }
    }

    /// `request_id = …`, in the words of this database.
    pub fn is(&self, id: RequestId) -> String {
        match &self.by_hand {
            ByHand::Sqlite(_) => format!("request_id = x'{}'", id.to_string().replace('-', "")),
            ByHand::Postgres(_) => format!("request_id = '{id}'"),
        }
    }

    /// Empties the tables.
    pub async fn clear(&self) {
        let tables = ["llm_token_runs", "llm_attempts", "llm_requests", "wal_positions"];
        self.run_all(&tables.map(|table| format!("DELETE FROM {table}"))).await;
    }

    /// Applies the first `events` of each story, one story after the other.
    pub async fn apply<'a>(&self, stories: impl IntoIterator<Item = (&'a Story, usize)>) {
        let from = self.store.applied(LOG).await.unwrap();
        let mut batch = Batch { log: LOG, from, through: from, events: Vec::new() };
        for (story, events) in stories {
            let mut part = story.batch(batch.through);
            part.events.truncate(events);
            batch.through += part.events.len() as u64;
            batch.events.append(&mut part.events);
        }
        let applied = self.store.apply(batch).await.unwrap();
        assert!(applied.conflicts.is_empty() && applied.already_there == 0, "{applied:?}");
    }
}
