//! A restore that is killed leaves the old state or the new one, never a mix.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::EXE;
use crate::backups::site::{Site, applied, backup, count, load, stop};
use crate::database::Database;
use crate::seed::{Random, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_restore_of_sqlite_is_old_or_new() {
    let kills = setting("WORDHOARD_RESTORE_KILLS").unwrap_or(18);
    kill_at_random(Database::Sqlite, kills, "a_killed_restore_of_sqlite_is_old_or_new").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_restore_of_postgresql_is_old_or_new() {
    let kills = setting("WORDHOARD_RESTORE_KILLS").unwrap_or(7);
    kill_at_random(Database::postgres().await, kills, "a_killed_restore_of_postgresql_is_old_or_new").await;
}

async fn kill_at_random(database: Database, kills: u64, test: &str) {
    let mut random = Random::from_environment(test);
    let site = Site::new(database).await;
    let (server, client) = site.start();
    load(&client, 3, 200).await;
    applied(&client).await;
    let name = backup(&client).await;
    let new = count(&client).await;
    stop(server);
    let started = Instant::now();
    let whole = restore(&site, &name, Duration::from_secs(120));
    assert!(whole, "the restore that is timed comes to its end");
    // A little more than it takes, so that some come to their end.
    let longest_ms = started.elapsed().as_millis() as u64 * 12 / 10;
    let (mut was_old, mut was_new) = (0, 0);
    for round in 0..kills {
        let (server, client) = site.start();
        // What tells the old state from the new one.
        load(&client, 1, 5).await;
        applied(&client).await;
        let old = count(&client).await;
        stop(server);
        let life = Duration::from_millis(random.below(longest_ms));
        let ended = restore(&site, &name, life);
        let (server, client) = site.start();
        let found = count(&client).await;
        assert!(!ended || found == new, "round {round}: it came to its end, and the old state is there");
        assert!(found == old || found == new, "round {round}: {found} requests are neither {old} nor {new}");
        if found == new {
            was_new += 1;
        } else {
            was_old += 1;
        }
        applied(&client).await;
        stop(server);
        site.check();
    }
    println!("{kills} kills within {longest_ms} ms: old {was_old} times, new {was_new} times");
}

/// Restores the backup as it is, and is killed after a time. Whether it came to its end before; then it went well.
fn restore(site: &Site, name: &str, life: Duration) -> bool {
    let mut command = Command::new(EXE);
    command.args(["restore", name, "--no-replay", "--config"]).arg(site.home.config_path());
    let mut child =
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + life;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the restore failed by itself");
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}
