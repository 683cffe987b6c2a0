//! The workbench: an engine whose disk and database the test holds in its hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wordhoard_engine::{
    Admitted, Engine, NewRequest, Parts, ProviderSet, ReadError, Settings, Subscribed, Subscription,
    SystemClock, Tasks,
};
use wordhoard_model::{
    Event, Idempotency, LaneSpec, Parameters, Prompt, RequestId, RequestState, RequestStatus, Seq, Timestamp,
};
use wordhoard_providers::TimeLimits;
use wordhoard_store::{
    Applied, Batch, Error, IdempotentMatch, ListQuery, LogKey, MigrationReport, RequestSummary, SqliteStore,
    Store,
};
use wordhoard_wal::{FaultDisk, Options, Wal};

/// What outlives an engine: the disk of the log, and the folder of the database.
pub struct Bench {
    pub disk: FaultDisk,
    pub database: Arc<AtomicBool>,
    dir: tempfile::TempDir,
}

/// A running engine.
pub struct Running {
    pub engine: Engine,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            disk: FaultDisk::new(),
            database: Arc::new(AtomicBool::new(true)),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub async fn start(&self) -> Running {
        self.start_with(|_| {}).await
    }

    pub async fn start_with(&self, change: impl FnOnce(&mut Settings)) -> Running {
        let options = Options { segment_size_bytes: 1 << 20, ..Options::default() };
        let (wal, _) = Wal::open(Arc::new(self.disk.clone()), options).unwrap();
        let sqlite = SqliteStore::open(&self.dir.path().join("wordhoard.db")).unwrap();
        sqlite.migrate(Timestamp::from_millis(0)).await.unwrap();
        let mut settings =
            Settings { disk_reserve_bytes: 0, ..Settings::new(self.dir.path().join("quarantine")) };
        change(&mut settings);
        let engine = Engine::start(Parts {
            wal,
            store: Arc::new(Gated { inner: sqlite, open: Arc::clone(&self.database) }),
            providers: ProviderSet::from_iter([wordhoard_providers::demo(TimeLimits::default())]),
            clock: Arc::new(SystemClock),
            settings,
            tasks: Tasks::default(),
        });
        Running { engine: engine.await.unwrap() }
    }

    /// While closed, SQL can neither be written nor read.
    pub fn open_database(&self, open: bool) {
        self.database.store(open, Ordering::SeqCst);
    }
}

impl Running {
    pub async fn submit(&self, prompt: &str, models: &[&str]) -> Admitted {
        self.engine.admit(request(prompt, models, None)).await.unwrap()
    }

    pub async fn follow(&self, id: RequestId, after: Option<u64>) -> Subscription {
        match self.engine.subscribe(id, after.map(Seq)).await.unwrap() {
            Subscribed::Following(subscription) => *subscription,
            other => panic!("{other:?}"),
        }
    }

    /// All events to the end; they are a whole story.
    pub async fn read_to_end(&self, id: RequestId) -> Vec<Arc<Event>> {
        let events = read(&mut self.follow(id, None).await).await.unwrap();
        let state = RequestState::replay(events.iter().map(|event| &**event)).unwrap();
        assert_ne!(state.status(), RequestStatus::Running);
        events
    }
}

/// Reads a subscription to its end.
pub async fn read(subscription: &mut Subscription) -> Result<Vec<Arc<Event>>, ReadError> {
    let mut events = Vec::new();
    while let Some(page) = subscription.next().await? {
        events.extend(page);
    }
    Ok(events)
}

pub fn request(prompt: &str, models: &[&str], key: Option<(&str, u8)>) -> NewRequest {
    let lane = |model: &&str| LaneSpec { model: model.parse().unwrap(), weight: None };
    NewRequest {
        prompt: Prompt::new(prompt.into(), None, Parameters::default()).unwrap(),
        lanes: models.iter().map(lane).collect(),
        idempotency: key.map(|(key, body)| Idempotency { key: key.into(), body_sha256: [body; 32] }),
    }
}

/// A database behind a gate.
#[derive(Debug)]
struct Gated {
    inner: SqliteStore,
    open: Arc<AtomicBool>,
}

impl Gated {
    fn pass(&self) -> Result<&SqliteStore, Error> {
        let open = self.open.load(Ordering::SeqCst);
        if open { Ok(&self.inner) } else { Err(Error::Unavailable("the gate is closed".into())) }
    }
}

#[async_trait::async_trait]
impl Store for Gated {
    async fn migrate(&self, at: Timestamp) -> Result<MigrationReport, Error> {
        self.pass()?.migrate(at).await
    }
    async fn applied(&self, log: LogKey) -> Result<u64, Error> {
        self.pass()?.applied(log).await
    }
    async fn apply(&self, batch: Batch) -> Result<Applied, Error> {
        self.pass()?.apply(batch).await
    }
    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error> {
        self.pass()?.events(id, from, limit).await
    }
    async fn summary(&self, id: RequestId) -> Result<Option<RequestSummary>, Error> {
        self.pass()?.summary(id).await
    }
    async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, Error> {
        self.pass()?.list(query).await
    }
    async fn open_requests(&self, log: LogKey) -> Result<Vec<RequestId>, Error> {
        self.pass()?.open_requests(log).await
    }
    async fn find_idempotent(&self, key: String, from: Timestamp) -> Result<Option<IdempotentMatch>, Error> {
        self.pass()?.find_idempotent(key, from).await
    }
    async fn make_durable(&self) -> Result<(), Error> {
        self.pass()?.make_durable().await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}
