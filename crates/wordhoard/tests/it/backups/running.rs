//! Restoring on a server that runs: it stops in order, puts the database in place, and goes on.

use serde_json::json;

use crate::backups::site::{BACKUP, BACKUPS, Site, applied, backup, count, end_of, load, restarted, stop};
use crate::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_sqlite_restores_itself() {
    restore_while_running(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_postgresql_restores_itself() {
    restore_while_running(Database::postgres().await).await;
}

async fn restore_while_running(database: Database) {
    let site = Site::new(database).await;
    let (server, client) = site.start();
    let mut seen = load(&client, 3, 30).await;
    let name = backup(&client).await;
    seen.extend(load(&client, 3, 30).await);
    applied(&client).await;
    let lost = seen[0].id.clone();
    let sql = format!("DELETE FROM llm_token_log WHERE request_id = {}", site.database.id(&lost));
    site.database.execute(&site.home, &sql).await;

    let path = format!("/api/admin/maintenance/restore/{name}");
    let begun = client.post(&path, &json!({})).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.body);
    let again = client.post(&path, &json!({})).await.unwrap();
    assert!(matches!(again.status, 409 | 503), "{}", again.body);
    restarted(&site.home, &client).await;
    for one in &seen {
        one.ledger.check_stream(&client, &one.id).await;
    }
    assert_eq!(count(&client).await, seen.len());
    load(&client, 1, 10).await;
    stop(server);
    site.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_backups_go_and_the_newest_good_one_stays() {
    let site = Site::new(Database::Sqlite).await;
    let (server, client) = site.start();
    load(&client, 1, 10).await;
    let first = backup(&client).await;
    // As if it had been made long ago. Its name is in its manifest, so by that it is no good one any more.
    let old = "wordhoard-20200101T000000Z-00000000";
    wordhoard_wal::disk::rename_durably(&site.backup_dir(&first), &site.backup_dir(old)).unwrap();
    let newest = backup(&client).await;
    let listed = client.get(BACKUPS).await.unwrap().body;
    let names: Vec<_> = listed["backups"].as_array().unwrap().iter().map(|one| &one["filename"]).collect();
    assert_eq!(names, [newest.as_str(), old]);
    assert_eq!(listed["backups"][1]["verified"], false);
    // Two at once: one is made, the other is told so.
    let nothing = json!({});
    let (one, other) = tokio::join!(client.post(BACKUP, &nothing), client.post(BACKUP, &nothing));
    let (one, other) = (one.unwrap(), other.unwrap());
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    let accepted = if one.status == 202 { one } else { other };
    assert_eq!(end_of(&client, &accepted).await["status"], "finished");
    stop(server);
}
