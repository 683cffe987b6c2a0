use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::FutureExt;
use parking_lot::Mutex;
use serde_json::json;
use wordhoard_engine::Clock;
use wordhoard_model::Timestamp;
use wordhoard_store::{LogKey, RunOutcome, SqliteStore, Store};

use super::schedule::Looked;
use super::{Job, Maintenance, TurnError};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A moment that is no moment of the schedule, in any time zone whose offset is in quarters of an hour.
const NOW: i64 = 1_795_400_000_000;

#[derive(Debug)]
struct SetClock(Mutex<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.0.lock())
    }
}

struct Bench {
    clock: Arc<SetClock>,
    store: Arc<dyn Store>,
    runs: Arc<AtomicU32>,
    fails: Arc<AtomicBool>,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(&dir.path().join("wordhoard.db")).unwrap();
        store.migrate(Timestamp::from_millis(1)).await.unwrap();
        Self {
            clock: Arc::new(SetClock(Mutex::new(NOW))),
            store: Arc::new(store),
            runs: Arc::default(),
            fails: Arc::default(),
            _dir: dir,
        }
    }

    fn server(&self, number: u8) -> Maintenance {
        let clock: Arc<dyn Clock> = Arc::<SetClock>::clone(&self.clock);
        Maintenance::new(Arc::clone(&self.store), LogKey([number; 16]), clock)
    }

    fn job(&self, schedule: &str) -> Job {
        let (runs, fails) = (Arc::clone(&self.runs), Arc::clone(&self.fails));
        let work = move || {
            let number = runs.fetch_add(1, Ordering::SeqCst);
            let fails = fails.load(Ordering::SeqCst);
            async move { if fails { Err("no luck".to_owned()) } else { Ok(json!({ "run": number })) } }
                .boxed()
        };
        Job { name: "test", schedule: schedule.parse().unwrap(), work: Box::new(work) }
    }

    fn advance(&self, by_ms: i64) {
        *self.clock.0.lock() += by_ms;
    }
}

#[tokio::test]
async fn a_job_runs_once_when_it_is_due_on_one_of_the_servers() {
    let bench = Bench::new().await;
    let (first, second) = (bench.server(1), bench.server(2));
    let job = bench.job("0 * * * *");
    assert_eq!(first.attend(&job).await.unwrap(), Looked::NotNow, "what was due before is not missed");
    for round in 1..4 {
        bench.advance(HOUR_MS);
        assert_eq!(first.attend(&job).await.unwrap(), Looked::Done);
        assert_eq!(second.attend(&job).await.unwrap(), Looked::NotNow);
        assert_eq!(first.attend(&job).await.unwrap(), Looked::NotNow);
        assert_eq!(bench.runs.load(Ordering::SeqCst), round);
        assert_eq!(second.last_run("test"), first.last_run("test"));
    }
    let recorded = bench.store.runs("test", None, 10).await.unwrap();
    assert!(recorded.iter().all(|run| run.outcome == RunOutcome::Finished && run.log == LogKey([1; 16])));
    assert_eq!(recorded[0].detail.as_deref(), Some("{\"run\":2}"));
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once() {
    let bench = Bench::new().await;
    let job = bench.job("0 * * * *");
    assert_eq!(bench.server(1).attend(&job).await.unwrap(), Looked::NotNow);
    bench.advance(10 * DAY_MS);
    let later = bench.server(1);
    assert_eq!(later.attend(&job).await.unwrap(), Looked::Done);
    assert_eq!(later.attend(&job).await.unwrap(), Looked::NotNow);
    assert_eq!(bench.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failed_run_is_recorded_and_still_due() {
    let bench = Bench::new().await;
    let (server, job) = (bench.server(1), bench.job("0 * * * *"));
    server.attend(&job).await.unwrap();
    bench.advance(HOUR_MS);
    bench.fails.store(true, Ordering::SeqCst);
    assert_eq!(server.attend(&job).await.unwrap(), Looked::Failed);
    assert_eq!(server.last_run("test"), None);
    bench.fails.store(false, Ordering::SeqCst);
    assert_eq!(server.attend(&job).await.unwrap(), Looked::Done);
    let recorded = bench.store.runs("test", Some(RunOutcome::Failed), 10).await.unwrap();
    assert_eq!(recorded[0].detail.as_deref(), Some("{\"error\":\"no luck\"}"));
}

#[tokio::test]
async fn a_job_that_is_off_never_runs_and_one_that_runs_is_not_begun_again() {
    let bench = Bench::new().await;
    let server = bench.server(1);
    let off = bench.job("off");
    server.attend(&off).await.unwrap();
    bench.advance(10 * DAY_MS);
    assert_eq!(server.attend(&off).await.unwrap(), Looked::NotNow);

    let hourly = bench.job("0 * * * *");
    server.attend(&hourly).await.unwrap();
    bench.advance(HOUR_MS);
    let turn = server.turn("test").await.unwrap();
    assert!(matches!(bench.server(2).turn("test").await, Err(TurnError::Running("test"))));
    assert_eq!(bench.server(2).attend(&hourly).await.unwrap(), Looked::NotNow);
    turn.run(async { Ok(json!({})) }).await.unwrap();
    assert_eq!(bench.server(2).attend(&hourly).await.unwrap(), Looked::NotNow, "a run by hand counts");
    assert_eq!(bench.runs.load(Ordering::SeqCst), 0);
}
