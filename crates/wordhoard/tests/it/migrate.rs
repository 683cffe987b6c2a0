//! `wordhoard migrate`: what it says, and how it ends.

use wordhoard_testkit::server::ServerHome;

use crate::database::Database;

#[tokio::test]
async fn brings_sqlite_up_and_tells_how_far_it_is() {
    let home = Database::Sqlite.home();
    brings_up(&home);
    // A schema that a newer server made is left alone.
    let newer = "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (99, 'newer', zeroblob(32), 0)";
    Database::Sqlite.execute(&home, newer).await;
    refuses(&home, "schema version 99");
}

#[tokio::test]
async fn brings_postgresql_up_and_tells_how_far_it_is() {
    let database = Database::postgres().await;
    let Database::Postgres(cluster) = &database else { unreachable!() };
    let home = database.home();
    brings_up(&home);
    let newer = "INSERT INTO schema_migrations (version, name, sha256, applied_at)
        VALUES (99, 'newer', decode(repeat('00', 32), 'hex'), now())";
    database.execute(&home, newer).await;
    refuses(&home, "schema version 99");
    cluster.stop().await;
    refuses(&home, "not available");
}

fn brings_up(home: &ServerHome) {
    let (code, before) = migrate(home, &["--status"]);
    assert!(code == 1 && before.contains("missing") && !before.contains("applied"), "{code}: {before}");
    assert!(!home.data_dir().exists(), "asking made something");
    assert_eq!(migrate(home, &["--status"]), (1, before.clone()), "asking changed something");

    let (code, said) = migrate(home, &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("applied ")).count(), before.lines().count());
    let (code, after) = migrate(home, &["--status"]);
    assert_eq!((code, after), (0, before.replace("missing", "applied")));
    let (code, said) = migrate(home, &[]);
    assert!(code == 0 && !said.contains("applied ") && said.contains("the schema is at version"), "{said}");
}

fn refuses(home: &ServerHome, reason: &str) {
    for options in [&["--status"][..], &[]] {
        let (code, said) = migrate(home, options);
        assert!(code == 1 && said.contains(reason), "{code}: {said}");
    }
}

/// The exit code, and what it says on either of its outputs.
fn migrate(home: &ServerHome, options: &[&str]) -> (i32, String) {
    let output = home.run(&[&["migrate"], options].concat()).unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}
