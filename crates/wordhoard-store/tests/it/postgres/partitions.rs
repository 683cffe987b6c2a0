use std::time::{Duration, Instant};

use wordhoard_model::{Seq, Timestamp};
use wordhoard_store::{PostgresStore, PruneRange, Store, Upkeep};
use wordhoard_testkit::postgres::Postgres;

use crate::story::Story;

const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
/// In the week of 2026-11-19.
const NOW_MS: i64 = 1_795_400_000_000;

async fn partitions(server: &Postgres) -> Vec<String> {
    let sql = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'llm_token_runs'::regclass ORDER BY inhrelid::regclass::text";
    server.psql(&["-c", sql]).await.lines().map(|line| line.replace("llm_token_runs_", "")).collect()
}

async fn rows(server: &Postgres, partition: &str) -> u64 {
    let sql = format!("SELECT coalesce(sum(token_count), 0) FROM llm_token_runs_{partition}");
    server.psql(&["-c", &sql]).await.trim().parse().unwrap()
}

#[tokio::test]
async fn weeks_are_made_ahead_and_rows_go_into_theirs() {
    let server = Postgres::start().await;
    let store = PostgresStore::new(&server.url()).unwrap();
    store.migrate(Timestamp::from_millis(NOW_MS)).await.unwrap();
    let first = ["20261119", "20261126", "20261203", "20261210", "20261217", "default"];
    assert_eq!(partitions(&server).await, first);

    let mut from = 0;
    for (week, made) in [(0, 6), (1, 6), (3, 9), (4, 9)] {
        let story = Story::whole(NOW_MS + week * WEEK_MS);
        store.apply(story.batch(from)).await.unwrap();
        from += story.events.len() as u64;
        assert_eq!(partitions(&server).await.len(), made, "week {week}");
        assert_eq!(store.events(story.id, Seq(0), 100).await.unwrap(), story.events);
    }
    assert_eq!((rows(&server, "20261119").await, rows(&server, "20261210").await), (6, 6));
    assert_eq!(rows(&server, "default").await, 0);
    // Another server finds them there.
    let other = PostgresStore::new(&server.url()).unwrap();
    other.migrate(Timestamp::from_millis(NOW_MS + 3 * WEEK_MS)).await.unwrap();
    assert_eq!(partitions(&server).await.len(), 9);
}

#[tokio::test]
async fn where_no_partition_can_be_made_the_default_one_takes_the_rows() {
    let server = Postgres::start().await;
    let store = PostgresStore::new(&server.url()).unwrap();
    store.migrate(Timestamp::from_millis(NOW_MS)).await.unwrap();
    // The rights of a role that shall not change the schema.
    let sql = "REASSIGN OWNED BY wordhoard TO postgres;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO wordhoard; REVOKE CREATE ON SCHEMA public FROM wordhoard, public";
    server.client().await.batch_execute(sql).await.unwrap();
    let story = Story::whole(NOW_MS + 20 * WEEK_MS);
    store.apply(story.batch(0)).await.unwrap();
    assert_eq!(rows(&server, "default").await, 6);
    assert_eq!(store.events(story.id, Seq(0), 100).await.unwrap(), story.events);
    let late = Story::whole(0);
    store.apply(late.batch(story.events.len() as u64)).await.unwrap();
    assert_eq!(rows(&server, "default").await, 12);
}

#[tokio::test]
async fn whole_weeks_are_dropped_unless_something_in_them_has_to_stay_or_they_are_in_use() {
    let server = Postgres::start().await;
    let store = PostgresStore::new(&server.url()).unwrap();
    store.migrate(Timestamp::from_millis(NOW_MS)).await.unwrap();
    let mut running = Story::whole(NOW_MS + WEEK_MS);
    running.events.pop();
    let stories = [
        Story::whole(NOW_MS),
        running,
        Story::whole(NOW_MS + 2 * WEEK_MS),
        Story::whole(NOW_MS + 3 * WEEK_MS),
    ];
    store.apply(Story::interleaved(&stories, 0)).await.unwrap();
    let range = PruneRange {
        // In the middle of the fourth week.
        before: Timestamp::from_millis(NOW_MS + 3 * WEEK_MS),
        ended_before: Timestamp::from_millis(NOW_MS + 10 * WEEK_MS),
    };
    store.raise_pruned(range.before, Timestamp::from_millis(NOW_MS)).await.unwrap();
    assert_eq!(store.drop_partitions(range).await.unwrap(), 2);
    assert_eq!(partitions(&server).await[..3], ["20261126", "20261210", "20261217"]);
    assert_eq!(store.events(stories[1].id, Seq(0), 100).await.unwrap(), stories[1].events);
    assert_eq!(store.events(stories[3].id, Seq(0), 100).await.unwrap(), stories[3].events);

    // Somebody reads for long, as a dump does: the table is not had, and nobody waits long behind the try.
    let reader = server.client().await;
    reader.batch_execute("BEGIN; SELECT FROM llm_token_log LIMIT 1").await.unwrap();
    let ended = PruneRange { before: Timestamp::from_millis(NOW_MS + 4 * WEEK_MS), ..range };
    let other = PostgresStore::new(&server.url()).unwrap();
    let (dropped, slowest) = tokio::join!(store.drop_partitions(ended), async {
        let mut slowest = Duration::ZERO;
        for _ in 0..40 {
            let asked = Instant::now();
            other.events(stories[1].id, Seq(0), 100).await.unwrap();
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slowest
    });
    println!("the slowest read beside it took {slowest:?}");
    assert_eq!(dropped.unwrap(), 0);
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.drop_partitions(ended).await.unwrap(), 1);
}
