//! Copies of a whole database, made while others write.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wordhoard_model::Timestamp;
use wordhoard_store::{Census, Export, ExportPlan, PostgresPlace, PostgresStore, SqliteStore, Store};
use wordhoard_testkit::postgres::Postgres;

use crate::story::{LOG, Story};

fn plan(dir: &Path) -> ExportPlan {
    ExportPlan { file: dir.join("copy"), bin_dir: None }
}

/// Applies stories until it is told to stop.
async fn write_on(store: Arc<dyn Store>, stop: Arc<AtomicBool>) -> u64 {
    let mut stories = 0;
    while !stop.load(Ordering::Relaxed) {
        let at = store.applied(LOG).await.unwrap();
        let story = Story::whole(2_000_000 + stories as i64 * 100);
        store.apply(story.batch(at)).await.unwrap();
        stories += 1;
    }
    stories
}

/// Copies while somebody writes; what the copy is said to hold fits together.
async fn export_under_load(store: Arc<dyn Store>, dir: &Path) -> Census {
    for at in 0..50 {
        let from = store.applied(LOG).await.unwrap();
        store.apply(Story::whole(1_000_000 + at * 100).batch(from)).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let copying = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let census = store.export(&plan(dir), &|_, _| {}).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stop.store(true, Ordering::Relaxed);
        census
    };
    let (written, census) = tokio::join!(write_on(Arc::clone(&store), Arc::clone(&stop)), copying);
    // Every story is one transaction, so a copy of one moment has whole stories only.
    let whole = Story::whole(1);
    let tokens = whole.events.iter().filter(|event| event.body.name() == "token").count() as u64;
    assert!(census.requests >= 50 && census.requests < 50 + written, "{census:?} of {written} more");
    assert_eq!(census.tokens, census.requests * tokens);
    assert_eq!(census.attempts, census.requests * 3);
    assert_eq!(census.positions, [(LOG, census.requests * whole.events.len() as u64)]);
    census
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_sqlite_is_of_one_moment_whoever_writes() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::new(&dir.path().join("live.db")).unwrap();
    store.migrate(Timestamp::from_millis(1)).await.unwrap();
    let census = export_under_load(Arc::new(store), dir.path()).await;
    assert!(!dir.path().join("copy-wal").exists());
    let copy = SqliteStore::new(&dir.path().join("copy")).unwrap();
    assert_eq!(copy.census().await.unwrap(), census);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_postgresql_is_of_one_moment_and_takes_the_place_of_the_original() {
    let (server, dir) = (Postgres::start().await, tempfile::tempdir().unwrap());
    server.client().await.batch_execute("ALTER ROLE wordhoard CREATEDB").await.unwrap();
    let store = Arc::new(PostgresStore::new(&server.url()).unwrap());
    store.migrate(Timestamp::from_millis(1)).await.unwrap();
    let census = export_under_load(Arc::clone(&store) as Arc<dyn Store>, dir.path()).await;

    let place = PostgresPlace::new(&server.url()).unwrap();
    place.create("staged", "mark").await.unwrap();
    place.fill("staged", &plan(dir.path()).file, None).await.unwrap();
    let staged = PostgresStore::new(&place.url_of("staged")).unwrap();
    assert_eq!(staged.census().await.unwrap(), census);
    let now = store.census().await.unwrap();
    assert_ne!(now, census);

    // Both are in use while they change their names.
    place.swap("staged", "before", "mark").await.unwrap();
    place.swap("staged", "before", "mark").await.unwrap();
    let other = place.swap("staged", "before", "another mark").await.unwrap_err().to_string();
    assert!(other.contains("not there"), "{other}");
    let again = PostgresStore::new(&server.url()).unwrap();
    assert_eq!(again.census().await.unwrap(), census);
    let before = PostgresStore::new(&place.url_of("before")).unwrap();
    assert_eq!(before.census().await.unwrap(), now);
    assert_eq!(place.marked_as("ma", "rk").await.unwrap(), ["wordhoard"]);
    drop(before);
    place.drop("before").await.unwrap();
}

#[tokio::test]
async fn a_role_that_may_not_make_databases_is_told_so() {
    let server = Postgres::start().await;
    let place = PostgresPlace::new(&server.url()).unwrap();
    let refused = place.create("staged", "mark").await.unwrap_err().to_string();
    assert!(refused.contains("CREATEDB"), "{refused}");
}

#[tokio::test]
async fn an_archive_that_is_none_fails_with_the_words_of_the_program() {
    let (server, dir) = (Postgres::start().await, tempfile::tempdir().unwrap());
    server.client().await.batch_execute("ALTER ROLE wordhoard CREATEDB").await.unwrap();
    let place = PostgresPlace::new(&server.url()).unwrap();
    place.create("staged", "mark").await.unwrap();
    std::fs::write(dir.path().join("bad"), "DROP TABLE llm_requests;").unwrap();
    let refused = place.fill("staged", &dir.path().join("bad"), None).await.unwrap_err().to_string();
    assert!(refused.contains("pg_restore"), "{refused}");
    let refused =
        place.fill("staged", &dir.path().join("bad"), Some(dir.path())).await.unwrap_err().to_string();
    assert!(refused.contains("pg_bin_dir"), "{refused}");
}
