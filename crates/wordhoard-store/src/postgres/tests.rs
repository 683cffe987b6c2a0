//! What needs both a server and what no caller sees.

use wordhoard_model::Timestamp;
use wordhoard_testkit::postgres::Postgres;

use super::limits::ServerLimits;
use super::session::{Session, Target};
use super::{
    apply, erasure, events, fleet, jobs, lists, migrate, partitions, registry, spending, statistics, upkeep,
};
use crate::Error;
use crate::migration::Migration;
use crate::upkeep::statements::{ATTEMPTS, COUNT_ATTEMPTS, COUNT_REQUESTS, REQUESTS, TOKEN_RUNS};

const AT: Timestamp = Timestamp::from_millis(1_795_400_000_000);

async fn session(url: &str) -> Session {
    Target::new(url).unwrap().connect(ServerLimits::MIGRATE, None).await.unwrap()
}

async fn tables(session: &Session) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
    session.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_statement_is_valid() {
    let server = Postgres::start().await;
    let session = session(&server.url()).await;
    migrate::run(&session, migrate::MIGRATIONS, AT).await.unwrap();
    let others = [events::REQUESTS, events::ATTEMPTS, events::RUNS, lists::SUMMARY, lists::LIST, lists::OPEN];
    let others = others.into_iter().chain([lists::IDEMPOTENT]).chain(fleet::ALL);
    let prunes = [TOKEN_RUNS, ATTEMPTS, REQUESTS].into_iter().flat_map(|of| [of.boundary, of.delete]);
    let others = others.chain(prunes).chain(jobs::ALL.iter().copied());
    let others =
        others.chain([COUNT_REQUESTS, COUNT_ATTEMPTS, upkeep::RAISE, partitions::LIST, partitions::KEPT]);
    let others = others.chain([statistics::REQUESTS, statistics::ATTEMPTS]);
    for sql in
        apply::ALL.iter().copied().chain(others).chain(registry::ALL).chain(spending::ALL).chain(erasure::ALL)
    {
        let prepared = session.statements([sql]).await;
        assert!(prepared.is_ok(), "{sql}: {prepared:?}");
    }
}

#[tokio::test]
async fn a_failed_migration_leaves_the_schema_as_it_was_and_says_why() {
    let server = Postgres::start().await;
    let first = || Migration { version: 1, name: "initial", sql: migrate::MIGRATIONS[0].sql };
    let bad = || Migration {
        version: 2,
        name: "bad",
        sql: "CREATE TABLE half (a int); CREATE TABLE half (b int);",
    };

    let empty = session(&server.create_database("empty").await).await;
    let failed = migrate::run(&empty, &[Migration { version: 1, ..bad() }], AT).await;
    assert!(matches!(failed, Err(Error::MigrationFailed { version: 1, .. })), "{failed:?}");
    empty.client().batch_execute("ROLLBACK").await.unwrap();
    assert!(tables(&empty).await.is_empty());

    let url = server.url();
    let later = session(&url).await;
    migrate::run(&later, &[first()], AT).await.unwrap();
    let before = tables(&later).await;
    let failed = migrate::run(&later, &[first(), bad()], AT).await;
    let said = |why: &str| why.contains("\"half\" already exists") && why.contains("42P07");
    assert!(
        matches!(&failed, Err(Error::MigrationFailed { version: 2, reason }) if said(reason)),
        "{failed:?}"
    );
    drop(later);
    // The lock went with the session, and the step can be made once it is mended.
    let again = session(&url).await;
    assert_eq!(tables(&again).await, before);
    let mended = Migration { sql: "CREATE TABLE half (a int)", ..bad() };
    let report = migrate::run(&again, &[first(), mended], AT).await.unwrap();
    assert_eq!((report.version, report.applied), (2, vec!["bad"]));
}

#[tokio::test]
async fn an_outage_in_a_migration_is_no_failed_migration() {
    let server = Postgres::start().await;
    let session = session(&server.url()).await;
    let slow = Migration { version: 1, name: "slow", sql: "SELECT pg_sleep(20)" };
    let migrations = [slow];
    let (ended, ()) = tokio::join!(migrate::run(&session, &migrations, AT), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.kill();
    });
    assert!(matches!(ended, Err(Error::Unavailable(_))), "{ended:?}");
}

#[tokio::test]
async fn commits_are_made_durable_and_a_stronger_setting_stays() {
    let server = Postgres::start().await;
    let now = async |url: &str| {
        let session = session(url).await;
        let rows = session.query("SELECT current_setting('synchronous_commit')", &[]).await.unwrap();
        (session.synchronous_commit().to_owned(), rows[0].get::<_, String>(0))
    };
    for (set, then) in [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
        let sql = format!("ALTER ROLE wordhoard SET synchronous_commit = '{set}'");
        server.client().await.batch_execute(&sql).await.unwrap();
        assert_eq!(now(&server.url()).await, (set.to_owned(), then.to_owned()));
    }
}

#[tokio::test]
async fn a_connection_says_its_name_and_what_the_server_shall_do_when_we_are_gone() {
    let server = Postgres::start().await;
    let told = async |url: &str| {
        let sql =
            "SELECT concat_ws(' ', current_setting('application_name'), current_setting('statement_timeout'),
            current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),
            current_setting('tcp_keepalives_idle'), current_setting('tcp_user_timeout'))";
        session(url).await.query(sql, &[]).await.unwrap()[0].get::<_, String>(0)
    };
    assert_eq!(told(&server.url()).await, "wordhoard 590s 1min 10s 10 15000");
    let named = format!("{}?application_name=mine", server.url());
    assert_eq!(told(&named).await, "mine 590s 1min 10s 10 15000");
}
