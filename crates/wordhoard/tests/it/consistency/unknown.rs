//! A check that could not be made claims nothing.

use super::{check, stop};
use crate::database::Database;

#[tokio::test]
async fn with_postgresql_away_it_says_so_and_claims_nothing() {
    let database = Database::postgres().await;
    let Database::Postgres(cluster) = &database else { unreachable!() };
    let home = database.home();
    stop(home.start().unwrap());
    cluster.stop().await;
    let output = home.run(&["check", "--full", "--json"]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b""[..]), "{said}");
    assert!(said.contains("the check could not be made"), "{said}");

    let server = home.start().unwrap();
    let health = server.client().get("/api/health").await.unwrap().body;
    assert_eq!((health["token_gap"].is_null(), &health["db_ok"]), (true, &false.into()), "{health}");
    assert!(health["services"]["consistency"]["last_check"].is_null(), "{health}");
}

#[tokio::test]
async fn without_its_file_it_says_so_and_makes_none() {
    let home = Database::Sqlite.home();
    stop(home.start().unwrap());
    let file = home.data_dir().join("wordhoard.db");
    for file in ["wordhoard.db", "wordhoard.db-wal", "wordhoard.db-shm"] {
        drop(std::fs::remove_file(home.data_dir().join(file)));
    }
    assert_eq!(check(&home, &["--full"]).0, 3);
    assert!(!file.exists(), "a check made a database");
    std::fs::write(&file, [b'x'; 8192]).unwrap();
    assert_eq!(check(&home, &["--full"]).0, 3);
}

#[tokio::test]
async fn beside_a_running_server_it_checks_but_does_not_repair() {
    let home = Database::Sqlite.home();
    let server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("beside [demo tokens=20 rate=1000]", &["demo:brisk"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    assert_eq!(check(&home, &["--full"]).0, 0);
    let output = home.run(&["check", "--full", "--repair"]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("a running server repairs by itself"), "{said}");
}
