//! What is no backup of ours is refused before the database is touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use wordhoard_testkit::client::Client;

use crate::backups::site::{BACKUPS, Site, applied, assert_holds, backup, load, stop};
use crate::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_or_planted_is_refused_and_changes_nothing() {
    let site = Site::new(Database::Sqlite).await;
    let (server, client) = site.start();
    let seen = load(&client, 2, 20).await;
    applied(&client).await;
    let name = backup(&client).await;
    let good = site.backup_dir(&name);
    let file = "database.sqlite.zst";
    let planted = "wordhoard-20260101T000000Z-00000000";

    let alter = |change: &dyn Fn(&Path)| {
        let dir = site.backup_dir(planted);
        drop(fs::remove_dir_all(&dir));
        fs::create_dir(&dir).unwrap();
        for entry in fs::read_dir(&good).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
        change(&dir);
    };
    // A copy under another name is not what its manifest says.
    alter(&|_| {});
    refused(&client, planted, 422, "manifest is that of").await;
    for (change, told) in [
        (
            &(|dir: &Path| edit(&dir.join(file), |bytes| bytes.truncate(bytes.len() / 2))) as &dyn Fn(&Path),
            "manifest",
        ),
        (&|dir: &Path| edit(&dir.join("manifest.json"), |bytes| bytes[30] ^= 1), "key of these backups"),
        (&|dir: &Path| fs::write(dir.join("manifest.hmac"), "00").unwrap(), "key of these backups"),
        (&|dir: &Path| fs::remove_file(dir.join("manifest.json")).unwrap(), "manifest.json"),
    ] {
        alter(change);
        refused(&client, planted, 422, told).await;
    }
    fs::remove_dir_all(site.backup_dir(planted)).unwrap();

    // The real one, damaged: one byte, its end, another kind of file.
    let whole = fs::read(good.join(file)).unwrap();
    edit(&good.join(file), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    refused(&client, &name, 422, "is not what was written").await;
    edit(&good.join(file), |bytes| bytes.truncate(100));
    refused(&client, &name, 422, "should have").await;
    fs::remove_file(good.join(file)).unwrap();
    refused(&client, &name, 422, file).await;
    assert!(Command::new("mkfifo").arg(good.join(file)).status().unwrap().success());
    refused(&client, &name, 422, "no plain file").await;
    fs::remove_file(good.join(file)).unwrap();
    fs::write(site.elsewhere.path().join("copy"), &whole).unwrap();
    symlink(site.elsewhere.path().join("copy"), good.join(file)).unwrap();
    refused(&client, &name, 422, file).await;
    fs::remove_file(good.join(file)).unwrap();
    fs::write(good.join(file), &whole).unwrap();

    // A link to a good one is none.
    symlink(&good, site.backup_dir(planted)).unwrap();
    refused(&client, planted, 404, "no backup").await;
    fs::remove_file(site.backup_dir(planted)).unwrap();
    // Another server's key.
    let key = fs::read(site.elsewhere.path().join("key")).unwrap();
    stop(server);
    fs::write(site.elsewhere.path().join("key"), "another key that is long enough to be one").unwrap();
    let (server, client) = site.start();
    refused(&client, &name, 422, "key of these backups").await;
    assert_eq!(client.get(BACKUPS).await.unwrap().body["backups"][0]["verified"], false);
    stop(server);
    fs::write(site.elsewhere.path().join("key"), key).unwrap();

    let (server, client) = site.start();
    for (path, statuses) in [
        ("../x", &[404][..]),
        ("..%2Fx", &[400]),
        ("..%2f..%2fetc%2fpasswd", &[400]),
        ("%00", &[400]),
        ("%ff", &[400]),
        (".unfinished-x", &[400]),
        ("wordhoard-20260101T000000Z-00000000", &[404]),
        (&format!("{name}%00"), &[400]),
        (&format!("{name}%2f"), &[400]),
        (&name.to_uppercase(), &[400]),
    ] {
        let answer =
            client.post(&format!("/api/admin/maintenance/restore/{path}"), &json!({})).await.unwrap();
        assert!(statuses.contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    }
    for (body, field) in [
        (json!({ "to": "yesterday" }), "to"),
        (json!({ "until": "2026-01-01T00:00:00Z" }), "until"),
        (json!({ "to": "2020-01-01T00:00:00Z", "replay": false }), "replay"),
    ] {
        let answer = client.post(&format!("/api/admin/maintenance/restore/{name}"), &body).await.unwrap();
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        assert!(answer.body.to_string().contains(field), "{}", answer.body);
    }
    assert_holds(&client, &seen).await;
    assert!(fs::read_dir(site.home.data_dir().join("restore")).map_or(0, Iterator::count) == 0);
    stop(server);
    let output = site.home.run(&["restore", "../x"]).unwrap();
    assert_eq!(output.status.code(), Some(2));
}

async fn refused(client: &Client, name: &str, status: u16, told: &str) {
    let answer = client.post(&format!("/api/admin/maintenance/restore/{name}"), &json!({})).await.unwrap();
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains(told), "{told}: {}", answer.body);
}

fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}
