//! What breaks, and that it works again by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wordhoard_model::Seq;
use wordhoard_store::{Batch, Error, Fleet, PostgresStore, ServerProfile, Store};
use wordhoard_testkit::cutter::{CommitCut, Cutter, Mode};
use wordhoard_testkit::postgres::Postgres;

use super::migrated;
use crate::story::{LOG, Story};

/// Tries again as the engine does, until it works.
async fn apply_until_done(store: &PostgresStore, batch: &Batch) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match store.apply(batch.clone()).await {
            Ok(applied) => {
                assert_eq!(applied.conflicts, []);
                assert_eq!(applied.inserted + applied.already_there, batch.events.len() as u64);
                return applied.inserted;
            }
            Err(Error::Unavailable(why)) => assert!(Instant::now() < deadline, "{why}"),
            Err(other) => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn assert_told(store: &PostgresStore, story: &Story) {
    let limit = story.events.len() + 1;
    assert_eq!(store.events(story.id, Seq(0), limit).await.unwrap(), story.events);
}

#[tokio::test]
async fn killed_under_load_nothing_is_lost_or_doubled() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let stories: Vec<_> = (0..30).map(|round| Story::long(1_000 + round, 3_000)).collect();
    let write = async {
        let mut from = 0;
        for story in &stories {
            let batch = story.batch(from);
            apply_until_done(&store, &batch).await;
            from = batch.through;
            assert_eq!(store.applied(LOG).await.unwrap_or(from), from);
        }
    };
    let kill = async {
        for pause in [40, 90, 160] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            server.kill();
            server.start_again().await;
        }
    };
    tokio::join!(write, kill);
    for story in &stories {
        assert_told(&store, story).await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_doubles_nothing() {
    let server = Postgres::start().await;
    let cutter = Cutter::start(server.port()).await.unwrap();
    let store = migrated(&cutter.url(&server.url())).await;
    let mut from = 0;
    for (round, cut) in
        [CommitCut::AfterForwarding, CommitCut::BeforeForwarding].into_iter().cycle().take(8).enumerate()
    {
        // Few rows and many.
        let story = Story::long(1_000 + round as i64, if round < 4 { 10 } else { 4_000 });
        let batch = story.batch(from);
        // The connection and the partitions are made by now; the next COMMIT is that of the batch.
        cutter.cut_at_commit(1, cut);
        let lost = store.apply(batch.clone()).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
        let expected = if cut == CommitCut::AfterForwarding { 0 } else { batch.events.len() as u64 };
        assert_eq!(apply_until_done(&store, &batch).await, expected, "round {round}, {cut:?}");
        assert_told(&store, &story).await;
        from = batch.through;
    }
    assert_eq!(cutter.commits_cut(), 8);
}

#[tokio::test]
async fn a_frozen_server_ends_calls_by_their_limit_and_works_after_thawing() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    assert_told(&store, &story).await;
    server.freeze();
    let began = Instant::now();
    // More calls than there are connections.
    let reads = futures_util::future::join_all((0..9).map(|_| store.summary(story.id)));
    let next = Story::whole(2_000);
    let (reads, beat, dropped) = tokio::join!(
        reads,
        store.beat(LOG, ServerProfile::default()),
        tokio::time::timeout(Duration::from_secs(2), store.apply(next.batch(story.events.len() as u64)))
    );
    assert!(reads.iter().all(|read| matches!(read, Err(Error::Unavailable(_)))), "{reads:?}");
    assert!(matches!(beat, Err(Error::Unavailable(_))));
    assert!(dropped.is_err(), "apply waits longer");
    let took = began.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(8), "{took:?}");
    server.thaw();
    assert_told(&store, &story).await;
    apply_until_done(&store, &next.batch(story.events.len() as u64)).await;
    assert_told(&store, &next).await;
}

#[tokio::test]
async fn an_apply_that_hangs_ends_by_its_limit() {
    let server = Postgres::start().await;
    let cutter = Cutter::start(server.port()).await.unwrap();
    let store = migrated(&cutter.url(&server.url())).await;
    let story = Story::long(1_000, 100);
    let mut half = story.batch(0);
    half.events.truncate(50);
    half.through = 50;
    store.apply(half).await.unwrap();
    cutter.set_mode(Mode::Silent);
    let began = Instant::now();
    let hung = store.apply(story.batch(0)).await;
    assert!(matches!(&hung, Err(Error::Unavailable(_))), "{hung:?}");
    assert!(began.elapsed() < Duration::from_secs(33), "{:?}", began.elapsed());
    cutter.cut_all().unwrap();
    cutter.set_mode(Mode::Pass);
    apply_until_done(&store, &story.batch(0)).await;
    assert_told(&store, &story).await;
}

#[tokio::test]
async fn read_only_or_without_a_free_connection_it_is_unavailable_for_as_long_as_it_lasts() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let story = Story::whole(1_000);
    server.read_only(true).await;
    let refused = store.apply(story.batch(0)).await;
    assert!(matches!(&refused, Err(Error::Unavailable(_))), "{refused:?}");
    server.read_only(false).await;
    apply_until_done(&store, &story.batch(0)).await;
    assert_told(&store, &story).await;
    store.close().await;

    let held = server.exhaust_connections().await;
    let late = PostgresStore::new(&server.url()).unwrap();
    let refused = late.applied(LOG).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("53300")), "{refused:?}");
    drop(held);
    let deadline = Instant::now() + Duration::from_secs(10);
    while late.applied(LOG).await.is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_not_a_refused_row() {
    let server = Postgres::builder().data_on_tmpfs(128 << 20).start().await;
    let store = migrated(&server.url()).await;
    server.fill_disk();
    let story = Story::long(1_000, 20_000);
    let refused = store.apply(story.batch(0)).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("53100")), "{refused:?}");
    server.free_disk();
    apply_until_done(&store, &story.batch(0)).await;
    assert_told(&store, &story).await;
}

#[tokio::test]
async fn a_clash_is_tried_again_at_once_three_times() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    // A sequence does not go back when a transaction does.
    let sql = "CREATE SEQUENCE tries; GRANT ALL ON SEQUENCE tries TO wordhoard;
        CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= 3 THEN RAISE EXCEPTION 'clash' USING ERRCODE = '40001'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER clash BEFORE INSERT ON llm_attempts FOR EACH STATEMENT EXECUTE FUNCTION clash()";
    let client = server.client().await;
    client.batch_execute(sql).await.unwrap();
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    assert_eq!(store.apply(story.batch(0)).await.unwrap().inserted, 2);

    client.batch_execute("ALTER SEQUENCE tries RESTART MINVALUE -10 START -10").await.unwrap();
    client.batch_execute("SELECT setval('tries', -10)").await.unwrap();
    let mut other = Story::created(2_000, None);
    other.start(1, 0, None);
    let refused = store.apply(other.batch(2)).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("40001")), "{refused:?}");
}

#[tokio::test]
async fn a_restart_of_the_server_is_noticed_before_a_call_fails() {
    let server = Postgres::start().await;
    let store = migrated(&server.url()).await;
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    futures_util::future::join_all((0..4).map(|_| store.summary(story.id))).await;
    server.stop().await;
    assert!(matches!(store.summary(story.id).await, Err(Error::Unavailable(_))));
    server.start_again().await;
    for _ in 0..8 {
        store.summary(story.id).await.unwrap().unwrap();
    }
    store.apply(Story::whole(2_000).batch(story.events.len() as u64)).await.unwrap();
}

#[tokio::test]
async fn closing_lets_a_batch_come_to_its_end() {
    let server = Postgres::start().await;
    let store: Arc<PostgresStore> = migrated(&server.url()).await;
    let story = Story::long(1_000, 20_000);
    let mut applying = Box::pin(store.apply(story.batch(0)));
    assert!(
        tokio::time::timeout(Duration::from_millis(20), &mut applying).await.is_err(),
        "too short a batch"
    );
    let (applied, ()) = tokio::join!(applying, store.close());
    assert_eq!(applied.unwrap().inserted, story.events.len() as u64);
    assert!(matches!(store.events(story.id, Seq(0), 1).await, Err(Error::Closed)));
    assert!(matches!(store.make_durable().await, Err(Error::Closed)));
    assert!(matches!(store.migrate(wordhoard_model::Timestamp::from_millis(1)).await, Err(Error::Closed)));
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wordhoard'";
    let deadline = Instant::now() + Duration::from_secs(5);
    while server.psql(&["-c", left]).await.trim() != "0" {
        assert!(Instant::now() < deadline, "connections stay open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
