//! Several servers on one database.

use std::time::Duration;

use wordhoard_model::Seq;
use wordhoard_store::{Error, Fleet, LogKey, PostgresStore, ServerProfile, Store};
use wordhoard_testkit::cutter::Cutter;
use wordhoard_testkit::postgres::Postgres;

use super::migrated;
use crate::story::{LOG, Story};

#[tokio::test]
async fn what_one_server_applies_wakes_the_others_also_after_an_outage() {
    let server = Postgres::start().await;
    let cutter = Cutter::start(server.port()).await.unwrap();
    let (writer, reader) =
        (migrated(&server.url()).await, PostgresStore::new(&cutter.url(&server.url())).unwrap());
    let mut changes = reader.changes();
    let wait = Duration::from_secs(20);
    // The first change says that it listens now.
    tokio::time::timeout(wait, changes.changed()).await.unwrap().unwrap();

    writer.apply(Story::whole(1_000).batch(0)).await.unwrap();
    tokio::time::timeout(wait, changes.changed()).await.unwrap().unwrap();

    changes.mark_unchanged();
    cutter.cut_all().unwrap();
    tokio::time::timeout(wait, changes.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn servers_with_their_own_logs_write_at_the_same_time() {
    let server = Postgres::start().await;
    let logs = [LogKey([1; 16]), LogKey([2; 16]), LogKey([3; 16])];
    let write = async |log: LogKey| {
        let store = migrated(&server.url()).await;
        let mut from = 0;
        for round in 0..8 {
            let story = Story::long(1_000, 400);
            let mut batch = story.batch(from);
            batch.log = log;
            from = batch.through;
            store.beat(log, ServerProfile::default()).await.unwrap();
            assert_eq!(
                store.apply(batch).await.unwrap().inserted,
                story.events.len() as u64,
                "round {round}"
            );
            assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
        }
        (store, from)
    };
    let done = tokio::join!(write(logs[0]), write(logs[1]), write(logs[2]));
    for (log, (store, applied)) in logs.into_iter().zip([done.0, done.1, done.2]) {
        assert_eq!(store.applied(log).await.unwrap(), applied);
        let seen: Vec<_> = store.servers().await.unwrap().iter().map(|server| server.log).collect();
        assert_eq!(seen, logs);
    }
}

#[tokio::test]
async fn an_older_transaction_of_the_same_log_is_waited_for() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    store.apply(Story::whole(1_000).batch(0)).await.unwrap();
    let from = store.applied(LOG).await.unwrap();
    // As an apply whose connection broke before its COMMIT, and whose server has not noticed yet.
    let older = server.client().await;
    let sql = "BEGIN; UPDATE wal_positions SET applied = applied + 20";
    older.batch_execute(sql).await.unwrap();
    let story = Story::whole(2_000);
    let (applied, ()) = tokio::join!(store.apply(story.batch(from)), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(store.applied(LOG).await.unwrap(), from, "it waits");
        older.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(applied.unwrap().inserted, story.events.len() as u64);
    assert_eq!(store.applied(LOG).await.unwrap(), from + 20, "the position never moves back");
}

/// Whatever is under way when a server is retired is in SQL before, or not at all.
#[tokio::test]
async fn a_retirement_waits_for_the_transaction_that_is_under_way() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    store.beat(LOG, ServerProfile::default()).await.unwrap();
    store.apply(Story::whole(1_000).batch(0)).await.unwrap();
    let from = store.applied(LOG).await.unwrap();
    let older = server.client().await;
    older.batch_execute("BEGIN; UPDATE wal_positions SET applied = applied + 20").await.unwrap();
    let (retired, ()) = tokio::join!(store.retire(LOG, None, Duration::ZERO), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(store.retirement(LOG).await.unwrap().is_none(), "it waits");
        older.batch_execute("COMMIT").await.unwrap();
    });
    assert!(retired.unwrap());
    assert_eq!(store.applied(LOG).await.unwrap(), from + 20);
    let refused = store.apply(Story::whole(2_000).batch(from)).await;
    assert!(matches!(refused, Err(Error::LogRetired)), "{refused:?}");
}
