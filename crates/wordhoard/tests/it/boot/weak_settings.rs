use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::health;
use crate::EXE;

#[tokio::test]
async fn of_a_database_are_said_at_the_start_and_in_health() {
    let cluster =
        Postgres::builder().setting("fsync", "off").setting("synchronous_commit", "off").start().await;
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", cluster.url())).unwrap();
    let server = home.start().unwrap();
    let health = health(&server.client()).await;
    let mut weak: Vec<_> = health["database"]["weak_settings"].as_array().unwrap().clone();
    weak.sort_by_key(ToString::to_string);
    let off = |setting: &str| serde_json::json!({ "setting": setting, "value": "off" });
    assert_eq!(weak, [off("fsync"), off("synchronous_commit")]);
    assert_eq!((&health["status"], &health["db_ok"]), (&"degraded".into(), &true.into()));
    let log = server.log().unwrap();
    for setting in ["fsync", "synchronous_commit"] {
        let said = log.iter().any(|line| line["level"] == "WARN" && line["setting"] == setting);
        assert!(said, "{setting}: {log:?}");
    }

    let cluster = Postgres::start().await;
    home.configure(&format!("database_url = {:?}", cluster.url())).unwrap();
    drop(server);
    let server = home.start().unwrap();
    assert_eq!(super::health(&server.client()).await["database"]["weak_settings"], serde_json::json!([]));
}
