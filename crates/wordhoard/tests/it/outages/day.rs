//! What a database goes through in its life, one after the other.

use std::time::Duration;

use wordhoard_testkit::postgres::{HeldConnections, Postgres};

use super::scene::{Scene, Sql};

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_started_again() {
    let postgres = Postgres::start().await;
    let mut scene = Scene::begin(&postgres.url()).await;
    let stopped = async {
        postgres.stop().await;
        pause(4).await;
        postgres.start_again().await;
    };
    scene.through("stopped", Sql::Away, stopped).await;
    scene.end(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_frozen_read_only_and_out_of_connections() {
    let postgres = Postgres::start().await;
    let mut scene = Scene::begin(&postgres.url()).await;
    let killed = async {
        postgres.kill();
        pause(4).await;
        postgres.start_again().await;
    };
    scene.through("killed", Sql::Away, killed).await;
    let frozen = async {
        postgres.freeze();
        pause(8).await;
        postgres.thaw();
    };
    // It notices by what it asks of SQL every five seconds, and waits five seconds for it.
    scene.through("frozen", Sql::Away, frozen).await;
    let read_only = async {
        postgres.read_only(true).await;
        pause(4).await;
        postgres.read_only(false).await;
    };
    scene.through("read-only", Sql::Away, read_only).await;
    let out_of_connections = async {
        let held = take_all_connections(&postgres).await;
        pause(4).await;
        drop(held);
    };
    scene.through("out of connections", Sql::Away, out_of_connections).await;
    scene.end(&postgres).await;
}

/// Those that the server has, too: as when it was restarted, or its pooler was.
async fn take_all_connections(postgres: &Postgres) -> Vec<HeldConnections> {
    let superuser = postgres.client().await;
    let mut held = vec![postgres.exhaust_connections().await];
    let mut quiet = 0;
    for _ in 0..1_000 {
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'wordhoard'";
        let ended: i64 = superuser.query_one(ended, &[]).await.unwrap().get(0);
        // The place of a session that has ended becomes free a little later, and the server asks twice a second.
        quiet = if ended == 0 { quiet + 1 } else { 0 };
        if quiet == 20 {
            return held;
        }
        held.push(postgres.exhaust_connections().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server always gets a connection first");
}
