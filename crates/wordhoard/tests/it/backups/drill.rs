//! The drill: load, a backup under load, more load, damage, restore. Everything is back.

use std::fs;

use crate::backups::site::{self, Site, applied, assert_holds, backup, load, stop};
use crate::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_to_sqlite() {
    drill(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_to_postgresql() {
    drill(Database::postgres().await).await;
}

async fn drill(database: Database) {
    let site = Site::new(database).await;
    let (server, client) = site.start();
    let mut seen = load(&client, 4, 30).await;
    // The backup is made while requests run, so it has some of them in part.
    let (during, name) = tokio::join!(load(&client, 8, 300), async {
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        backup(&client).await
    });
    seen.extend(during);
    seen.extend(load(&client, 6, 100).await);
    assert!(site.run(&["backup", "verify", &name]).contains("can be restored"));
    applied(&client).await;
    stop(server);

    tables_are_dropped(&site).await;
    let told = site.run(&["restore", &name]);
    assert!(told.contains(&name) && told.contains("replayed"), "{told}");
    let (server, client) = site.start();
    assert_holds(&client, &seen).await;
    seen.extend(load(&client, 3, 50).await);
    applied(&client).await;
    stop(server);
    site.check();

    // The folder with the log and all else is gone; what was archived when the server stopped is all there was.
    fs::remove_dir_all(site.home.data_dir()).unwrap();
    if let Database::Postgres(_) = &site.database {
        tables_are_dropped(&site).await;
    }
    site.run(&["restore", &name]);
    let (server, client) = site.start();
    assert_holds(&client, &seen).await;

    // Killed: what was archived by then comes back.
    seen.extend(load(&client, 3, 50).await);
    while archive_lag(&client).await != 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    server.kill_9().unwrap();
    fs::remove_dir_all(site.home.data_dir()).unwrap();
    site.run(&["restore", &name]);
    let (server, client) = site.start();
    assert_holds(&client, &seen).await;
    stop(server);
    site.check();
    println!("{} requests came back three times", seen.len());
}

async fn archive_lag(client: &wordhoard_testkit::client::Client) -> f64 {
    let figures = client.get("/api/metrics").await.unwrap().body;
    figures["wordhoard_archive_lag_records"].as_f64().unwrap_or_else(|| panic!("{figures}"))
}

async fn tables_are_dropped(site: &Site) {
    let sql = "DROP VIEW llm_token_log; DROP TABLE llm_token_runs; DROP TABLE llm_attempts; DROP TABLE llm_requests";
    site.database.execute(&site.home, sql).await;
    let output = site.home.run(&["check", "--full"]).unwrap();
    assert!(!output.status.success(), "{}", site::said(&output));
}
