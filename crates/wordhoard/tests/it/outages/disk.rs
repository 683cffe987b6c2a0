use std::time::Duration;

use wordhoard_testkit::postgres::Postgres;

use super::scene::{Scene, Sql};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_the_database_is_full() {
    let postgres = Postgres::builder().data_on_tmpfs(160 << 20).start().await;
    let mut scene = Scene::begin(&postgres.url()).await;
    let full = async {
        postgres.fill_disk();
        tokio::time::sleep(Duration::from_secs(8)).await;
        postgres.free_disk();
    };
    scene.through("disk full", Sql::Away, full).await;
    scene.end(&postgres).await;
    assert!(postgres.log().contains("No space left on device"));
}
