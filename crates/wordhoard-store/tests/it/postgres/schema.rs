//! Migrations, and what the server must be.

use futures_util::future::join_all;
use wordhoard_model::{Seq, Timestamp};
use wordhoard_store::{Error, PostgresStore, Store};
use wordhoard_testkit::postgres::Postgres;

use super::migrated;
use crate::story::Story;

const AT: Timestamp = Timestamp::from_millis(1_795_400_000_000);

#[tokio::test]
async fn ten_servers_may_start_at_once() {
    let server = Postgres::start().await;
    let stores: Vec<_> = (0..10).map(|_| PostgresStore::new(&server.url()).unwrap()).collect();
    let reports = join_all(stores.iter().map(|store| store.migrate(AT))).await;
    let reports: Vec<_> = reports.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(reports.iter().filter(|report| !report.applied.is_empty()).count(), 1);
    let story = Story::whole(1_000);
    stores[0].apply(story.batch(0)).await.unwrap();
    assert_eq!(stores[9].events(story.id, Seq(0), 100).await.unwrap(), story.events);
}

#[tokio::test]
async fn asking_for_the_migrations_changes_nothing() {
    let server = Postgres::start().await;
    server.read_only(true).await;
    let store = PostgresStore::new(&server.url()).unwrap();
    let steps = store.migrations().await.unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| !step.applied), "{steps:?}");
    let count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(server.psql(&["-c", count]).await.trim(), "0");
}

#[tokio::test]
async fn a_schema_of_a_newer_server_or_with_another_content_is_refused() {
    let server = Postgres::start().await;
    migrated(&server.url()).await.close().await;
    let client = server.client().await;
    let newer = "INSERT INTO schema_migrations VALUES (99, 'future', decode(repeat('00', 32), 'hex'), now())";
    client.batch_execute(newer).await.unwrap();
    let store = PostgresStore::new(&server.url()).unwrap();
    let refused = store.migrate(AT).await;
    assert!(matches!(refused, Err(Error::SchemaTooNew { found: 99, .. })), "{refused:?}");

    client.batch_execute("DELETE FROM schema_migrations WHERE version = 99").await.unwrap();
    client
        .batch_execute("UPDATE schema_migrations SET sha256 = decode(repeat('00', 32), 'hex')")
        .await
        .unwrap();
    let refused = store.migrate(AT).await;
    assert!(matches!(refused, Err(Error::MigrationChanged { version: 1 })), "{refused:?}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let server = Postgres::start().await;
    let sql = "CREATE DATABASE narrow OWNER wordhoard ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    server.client().await.batch_execute(sql).await.unwrap();
    let store =
        PostgresStore::new(&format!("{}/narrow", server.url().strip_suffix("/wordhoard").unwrap())).unwrap();
    let refused = store.migrate(AT).await;
    assert!(
        matches!(&refused, Err(Error::MigrationFailed { reason, .. }) if reason.contains("LATIN1")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_row_that_means_nothing_is_damage_and_not_a_default() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    let (all_x, bad_escapes) =
        ("repeat('x', token_count::integer)", "array_fill(E'a\\uFDD0'::text, ARRAY[token_count::integer])");
    for (column, value, said) in [
        ("kinds", all_x, "'x' in kinds"),
        ("kinds", "'t'", "kinds has 1 elements"),
        ("texts", bad_escapes, "U+FDD0"),
        ("texts", "ARRAY[NULL, 'a']", "column texts"),
        ("texts", "'{}'", "texts has 0 elements"),
        ("token_count", "3", "for 3 tokens"),
        ("token_count", "-1", "column texts"),
        ("seq_offsets", "ARRAY[0]", "seq_offsets has 1 elements"),
        ("at_offsets_ms", "'{}'", "at_offsets_ms has 0 elements"),
        ("at", "'infinity'", "column at"),
    ] {
        let sql = format!("UPDATE llm_token_runs SET {column} = {value} WHERE attempt_seq = 1");
        server.client().await.batch_execute(&sql).await.unwrap();
        let read = store.events(story.id, Seq(0), 100).await;
        assert!(matches!(&read, Err(Error::Damaged(why)) if why.contains(said)), "{column}: {read:?}");
        // What comes in its place does not take it.
        let again = store.apply(story.batch(0)).await.unwrap();
        assert_eq!((again.inserted, again.conflicts.len()), (0, 2), "{column}: {again:?}");
        server.client().await.batch_execute("DELETE FROM llm_token_runs").await.unwrap();
        store.apply(story.batch(0)).await.unwrap();
    }
}

#[tokio::test]
async fn settings_that_lose_commits_are_told() {
    let server =
        Postgres::builder().setting("fsync", "off").setting("synchronous_commit", "off").start().await;
    let weaknesses = PostgresStore::new(&server.url()).unwrap().weaknesses().await.unwrap();
    let told: Vec<_> = weaknesses.iter().map(|weak| (weak.setting, weak.value.as_str())).collect();
    assert_eq!(told, [("fsync", "off"), ("synchronous_commit", "off")]);

    let honest = Postgres::start().await;
    assert_eq!(PostgresStore::new(&honest.url()).unwrap().weaknesses().await.unwrap(), []);
}

#[test]
fn a_url_that_cannot_be_used_is_refused_without_its_password() {
    for url in ["postgres://u:geheim@h/db?sslmode=verify-full", "postgres://u:geheim@h:x/db", "geheim"] {
        let refused = PostgresStore::new(url).unwrap_err();
        assert!(matches!(&refused, Error::Url(_)) && !refused.to_string().contains("geheim"), "{refused}");
    }
}
