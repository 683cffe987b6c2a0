//! A database, and a way to it that goes around the store.

use std::path::Path;
use std::sync::Arc;

use wordhoard_model::{RequestId, Timestamp};
use wordhoard_store::{Batch, PostgresStore, SqliteStore, Store};
use wordhoard_testkit::postgres::Postgres;

use crate::story::{LOG, Story};

pub struct Database {
    pub store: Arc<dyn Store>,
    by_hand: ByHand,
}

enum ByHand {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Database {
    pub async fn sqlite(dir: &Path) -> Self {
        let path = dir.join("wordhoard.db");
        let store = SqliteStore::new(&path).unwrap();
        store.migrate(Timestamp::from_millis(1)).await.unwrap();
        let by_hand = ByHand::Sqlite(rusqlite::Connection::open(&path).unwrap());
        Self { store: Arc::new(store), by_hand }
    }

    /// A fresh one in the cluster.
    pub async fn postgres(cluster: &Postgres, name: &str) -> Self {
        let url = cluster.create_database(name).await;
        let store = PostgresStore::new(&url).unwrap();
        store.migrate(Timestamp::from_millis(1)).await.unwrap();
        let by_hand = ByHand::Postgres(Postgres::connect(&url).await.unwrap());
        Self { store: Arc::new(store), by_hand }
    }

    /// Runs one statement; gives the rows that it changed.
    pub async fn run(&self, sql: &str) -> u64 {
        match &self.by_hand {
            ByHand::Sqlite(connection) => connection.execute(sql, []).unwrap() as u64,
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
        let tables = ["llm_token_log", "llm_attempts", "llm_requests", "wal_positions"];
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
