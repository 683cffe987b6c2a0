use std::time::Duration;

use wordhoard_testkit::postgres::Postgres;

use super::scene::{Scene, Sql};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn away_already_when_the_server_starts() {
    let postgres = Postgres::start().await;
    postgres.stop().await;
    let mut scene = Scene::begin_unmeasured(&postgres.url()).await;
    let away = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        postgres.start_again().await;
    };
    scene.through("away at the start", Sql::Away, away).await;
    scene.end(&postgres).await;
}
