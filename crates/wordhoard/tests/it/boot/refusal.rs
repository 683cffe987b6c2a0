//! A database that must not be used stops the start, with its reason, and is left as it was.

use wordhoard_testkit::server::ServerHome;

use crate::database::Database;

#[tokio::test]
async fn of_a_database_in_sqlite_says_why_and_changes_nothing() {
    foreign_tables_stop_the_start(&Database::Sqlite).await;
    let zeros = "zeroblob(32)";
    newer_schema_stops_the_start(&Database::Sqlite, zeros, "0").await;
}

#[tokio::test]
async fn of_a_database_in_postgresql_says_why_and_changes_nothing() {
    let database = Database::postgres().await;
    foreign_tables_stop_the_start(&database).await;
    database.execute(&database.home(), "DROP TABLE llm_attempts").await;
    newer_schema_stops_the_start(&database, "decode(repeat('00', 32), 'hex')", "now()").await;
}

/// A migration that fails, since there is a table already that it would make.
async fn foreign_tables_stop_the_start(database: &Database) {
    let home = database.home();
    database.execute(&home, "CREATE TABLE llm_attempts (foreign_to_us INTEGER)").await;
    let reason = refused(database, &home).await;
    assert!(reason.contains("migration 1 failed and was rolled back"), "{reason}");
    assert!(reason.contains("llm_attempts") && reason.contains("already exists"), "{reason}");
}

async fn newer_schema_stops_the_start(database: &Database, sha256: &str, now: &str) {
    let home = database.home();
    let mut server = home.start().unwrap();
    server.terminate().unwrap();
    server.wait(super::PATIENCE).unwrap();
    let newer = "INSERT INTO schema_migrations (version, name, sha256, applied_at)";
    database.execute(&home, &format!("{newer} VALUES (99, 'newer', {sha256}, {now})")).await;
    let reason = refused(database, &home).await;
    assert!(reason.contains("schema version 99") && reason.contains("run a newer server"), "{reason}");
}

/// The start fails, twice, and the schema is as before. Gives what the server said.
async fn refused(database: &Database, home: &ServerHome) -> String {
    let before = database.schema(home).await;
    let mut said = String::new();
    for _ in 0..2 {
        let mut server = home.spawn().unwrap();
        let ended = server.wait(super::PATIENCE).unwrap();
        said = server.output().unwrap();
        assert!(ended.code().is_some_and(|code| code != 0), "{ended}: {said}");
        assert_eq!(database.schema(home).await, before);
    }
    said
}
