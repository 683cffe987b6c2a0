use std::time::Duration;

use wordhoard_testkit::cutter::{Cutter, Mode};
use wordhoard_testkit::postgres::Postgres;

use super::scene::{Scene, Sql};
use crate::seed::Random;

const FLAPS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_flaps_in_a_row() {
    let postgres = Postgres::start().await;
    let cutter = Cutter::start(postgres.port()).await.unwrap();
    let mut scene = Scene::begin(&cutter.url(&postgres.url())).await;
    let mut random = Random::from_environment("fifty_flaps_in_a_row");
    let before = cutter.connections();
    let flaps = async {
        for _ in 0..FLAPS {
            cutter.set_mode(Mode::Refuse);
            cutter.cut_all().unwrap();
            tokio::time::sleep(Duration::from_millis(20 + random.below(150))).await;
            cutter.set_mode(Mode::Pass);
            tokio::time::sleep(Duration::from_millis(50 + random.below(250))).await;
        }
    };
    scene.through("fifty flaps", Sql::Hurt, flaps).await;
    println!("{} connections in {FLAPS} flaps", cutter.connections() - before);
    scene.end(&postgres).await;
}
