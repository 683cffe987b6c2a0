//! The network between the server and its database.

use std::time::Duration;

use wordhoard_testkit::cutter::{CommitCut, Cutter, Mode};
use wordhoard_testkit::postgres::Postgres;

use super::scene::{Scene, Sql};

const CUTS: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_in_the_middle_of_a_commit_and_silent() {
    let postgres = Postgres::start().await;
    let cutter = Cutter::start(postgres.port()).await.unwrap();
    let mut scene = Scene::begin(&cutter.url(&postgres.url())).await;
    for (name, side) in
        [("cut before COMMIT", CommitCut::BeforeForwarding), ("cut after COMMIT", CommitCut::AfterForwarding)]
    {
        let cuts = async {
            for _ in 0..CUTS {
                let before = cutter.commits_cut();
                cutter.cut_at_commit(2, side);
                let cut = async {
                    while cutter.commits_cut() == before {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                tokio::time::timeout(PATIENCE, cut).await.expect("no COMMIT comes");
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        };
        scene.through(name, Sql::Hurt, cuts).await;
    }
    let silent = async {
        cutter.set_mode(Mode::Silent);
        tokio::time::sleep(Duration::from_secs(8)).await;
        cutter.set_mode(Mode::Pass);
    };
    scene.through("silent", Sql::Away, silent).await;
    let lost = async {
        cutter.set_mode(Mode::Silent);
        tokio::time::sleep(Duration::from_secs(7)).await;
        // What was on its way is lost, as where a router forgets its connections.
        cutter.cut_all().unwrap();
        cutter.set_mode(Mode::Pass);
    };
    scene.through("silent, then reset", Sql::Away, lost).await;
    assert_eq!(cutter.commits_cut(), 2 * CUTS);
    scene.end(&postgres).await;
}
