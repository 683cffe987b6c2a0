//! What PostgreSQL must do besides what every backend does.

mod fleet;
mod outage;
mod partitions;
mod schema;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use wordhoard_model::Timestamp;
use wordhoard_store::{PostgresStore, Store};
use wordhoard_testkit::postgres::Postgres;

use crate::conformance;

#[tokio::test]
async fn postgresql_conforms() {
    let server = Postgres::start().await;
    let databases = AtomicU32::new(0);
    conformance::all(|| async {
        let name = format!("case_{}", databases.fetch_add(1, Ordering::Relaxed));
        migrated(&server.create_database(&name).await).await as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn a_refused_row_is_told_and_changes_nothing() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let refuse = async |text: &'static str| {
        let sql = format!("ALTER TABLE llm_token_runs ADD CHECK (array_position(texts, '{text}') IS NULL)");
        server.client().await.batch_execute(&sql).await.unwrap();
    };
    conformance::a_refused_row_is_told_and_changes_nothing(&*store, refuse).await;
}

async fn migrated(url: &str) -> Arc<PostgresStore> {
    let store = PostgresStore::new(url).unwrap();
    store.migrate(Timestamp::from_millis(1)).await.unwrap();
    Arc::new(store)
}
