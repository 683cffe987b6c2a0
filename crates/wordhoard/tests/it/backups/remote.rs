//! An object store beside: what is lost here comes back from there.

use std::fs;

use serde_json::json;
use wordhoard_testkit::object_store::ObjectStore;
use wordhoard_testkit::server::ServerHome;

use crate::backups::site::{self, BACKUPS, KEY, applied, assert_holds, backup, load, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_here_comes_back_from_the_object_store() {
    let store = ObjectStore::start().unwrap();
    let config = format!(
        "resume_interrupted = false\nlimits = {{ wal_segment = \"1MiB\", disk_reserve = \"64MiB\" }}
         [archive]\ninterval = \"200ms\"\n[backup.s3]\nbucket = {:?}\nprefix = \"one/\"\nendpoint = {:?}\nallow_http = true",
        ObjectStore::BUCKET,
        store.endpoint()
    );
    let mut home = ServerHome::new(crate::EXE, &config).unwrap();
    for (name, value) in [
        ("WORDHOARD_ADMIN_KEY", KEY),
        ("WORDHOARD_BACKUP_KEY", "a key of backups that is not on this disk"),
        ("AWS_ACCESS_KEY_ID", "id-canary"),
        ("AWS_SECRET_ACCESS_KEY", "secret-canary"),
    ] {
        home.set_environment(name, value);
    }
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    let mut seen = load(&client, 2, 30).await;
    let name = backup(&client).await;
    seen.extend(load(&client, 2, 30).await);
    applied(&client).await;
    let listed = client.get(BACKUPS).await.unwrap().body;
    assert_eq!(listed["backups"][0]["places"], json!(["local", "remote"]), "{listed}");
    // The archive follows within half a minute.
    let is_shipped = || store.keys().unwrap().iter().any(|key| key.starts_with("one/archive/"));
    for _ in 0..80 {
        if is_shipped() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(is_shipped(), "{:?}", store.keys().unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    assert!(!server.output().unwrap().contains("canary"));
    stop(server);

    fs::remove_dir_all(home.data_dir()).unwrap();
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    assert_eq!(site::count(&client).await, 0);
    let listed = client.get(BACKUPS).await.unwrap().body;
    assert_eq!(listed["backups"][0]["places"], json!(["remote"]), "{listed}");
    let path = format!("/api/admin/maintenance/restore/{name}");
    let begun = client.post(&path, &json!({})).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.body);
    site::restarted(&home, &client).await;
    assert_holds(&client, &seen).await;
    stop(server);
}
