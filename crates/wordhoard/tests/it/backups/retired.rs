//! A backup that knows of a retired server: what SQL has of that one is all that there is, whatever its log says.

use wordhoard_model::Timestamp;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::backups::site::{Site, applied, backup, load, stop};
use crate::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_leaves_a_retired_server_as_it_was_closed() {
    let site = Site::new(Database::postgres().await).await;
    let (server, client) = site.start();
    // Both keep their logs in one archive.
    let archive = site.elsewhere.path().join("archive");
    let config = format!(
        "{}\n[archive]\ndir = {archive:?}\ninterval = \"200ms\"\n[backup]\nschedule = \"off\"",
        site.database.config()
    );
    let other = ServerHome::new(EXE, &config).unwrap();
    let lost = other.start().unwrap();
    let id = lost.client().submit("left alone [demo tokens=3000 rate=50]", &["demo:brisk"]).await.unwrap();
    let document = lost.client().get("/api/health").await.unwrap().body;
    let lost_id = document["services"]["servers"]["this_server_id"].as_str().unwrap().to_owned();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    lost.kill_9().unwrap();
    site.run(&["servers", "retire", &lost_id]);
    let closed = client.read_to_end(&id, None).await.unwrap();
    assert_eq!(closed.last().unwrap().data["status"], "interrupted");
    applied(&client).await;

    let name = backup(&client).await;
    let after = load(&client, 2, 20).await;
    let moment: Timestamp =
        after[0].ledger.seen.last().unwrap().data["ts"].as_str().unwrap().parse().unwrap();
    load(&client, 1, 20).await;
    applied(&client).await;
    stop(server);
    for restore in [&["restore", name.as_str()][..], &["restore", &name, "--to", &moment.to_string()]] {
        site.run(restore);
        let (server, client) = site.start();
        assert_eq!(client.read_to_end(&id, None).await.unwrap(), closed);
        after[0].ledger.check_stream(&client, &after[0].id).await;
        stop(server);
        site.check();
    }
}
