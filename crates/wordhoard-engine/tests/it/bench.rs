//! The workbench: an engine whose disk and database the test holds in its hands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use wordhoard_engine::metrics::Metrics;
use wordhoard_engine::{
    Admitted, BootLog, Engine, NewRequest, Parts, ProviderSet, ReadError, Settings, Subscribed, Subscription,
    SystemClock, Tasks,
};
use wordhoard_model::{
    AttemptSeq, Event, EventBody, Fallback, Idempotency, KeyId, KeyLimits, LaneSpec, Parameters, Prompt,
    ProviderName, RequestId, RequestState, RequestStatus, Seq, Timestamp,
};
use wordhoard_providers::TimeLimits;
use wordhoard_store::{
    Applied, Batch, BreakerNote, Census, CheckSlice, Checked, DatabaseKind, Departure, Erasing, Erasure,
    Error, Export, ExportPlan, Fleet, IdempotentMatch, Jobs, KeyRecord, Lease, ListQuery, LogKey,
    LoggedEvent, MaintenanceRun, MigrationReport, MigrationStatus, OthersSpending, OwnSpending, Progress,
    ProviderSwitch, Prunable, PruneRange, PruneSlice, Pruned, Registry, RequestSummary, Retirement, RunId,
    RunOutcome, ServerProfile, ServerSeen, Spending, SqliteStore, Statistics, Store, Totals, Upkeep,
    Weakness,
};
use wordhoard_wal::{FaultDisk, Loss, Options, Wal};

/// What outlives an engine: the disk of the log, and the folder of the database.
pub struct Bench {
    pub disk: FaultDisk,
    pub database: Arc<AtomicBool>,
    /// A token with this text is refused by the database.
    pub refused: Arc<Mutex<Option<String>>>,
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
            refused: Arc::default(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub async fn start(&self) -> Running {
        self.start_with(|_| {}).await
    }

    pub async fn start_with(&self, change: impl FnOnce(&mut Settings)) -> Running {
        let options = Options { segment_size_bytes: 1 << 20, ..Options::default() };
        let (wal, _) = Wal::open(Arc::new(self.disk.clone()), options).unwrap();
        let sqlite = SqliteStore::new(&self.database_file()).unwrap();
        let mut settings =
            Settings { disk_reserve_bytes: 0, ..Settings::new(self.dir.path().join("quarantine")) };
        settings.switches_copy = Some(self.dir.path().join("disabled_providers"));
        change(&mut settings);
        let engine = Engine::start(Parts {
            wal,
            store: Arc::new(Gated {
                inner: sqlite,
                open: Arc::clone(&self.database),
                refused: Arc::clone(&self.refused),
            }),
            providers: ProviderSet::from_iter([wordhoard_providers::demo(TimeLimits::default())]),
            clock: Arc::new(SystemClock),
            settings,
            tasks: Tasks::default(),
            boot: BootLog::default(),
            metrics: Arc::new(Metrics::new(BTreeMap::new())),
        });
        Running { engine: engine.await.unwrap() }
    }

    /// Ends an engine as a crash does: nothing is closed, and what was not synced is lost.
    pub async fn crash(&self, running: Running) {
        self.disk.lose_power(Loss::Everything);
        running.engine.close().await;
    }

    pub fn database_file(&self) -> PathBuf {
        self.dir.path().join("wordhoard.db")
    }

    pub fn quarantined_files(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("quarantine")).map_or(0, Iterator::count)
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
        fallback: Fallback::Default,
        key: None,
        credential: None,
    }
}

/// A database behind a gate.
#[derive(Debug)]
struct Gated {
    inner: SqliteStore,
    open: Arc<AtomicBool>,
    refused: Arc<Mutex<Option<String>>>,
}

impl Gated {
    fn pass(&self) -> Result<&SqliteStore, Error> {
        let open = self.open.load(Ordering::SeqCst);
        if open { Ok(&self.inner) } else { Err(Error::Unavailable("the gate is closed".into())) }
    }
}

#[async_trait::async_trait]
impl Export for Gated {
    fn kind(&self) -> DatabaseKind {
        self.inner.kind()
    }
    async fn size_bytes(&self) -> Result<u64, Error> {
        self.pass()?.size_bytes().await
    }
    async fn census(&self) -> Result<Census, Error> {
        self.pass()?.census().await
    }
    async fn export(&self, plan: &ExportPlan, progress: Progress<'_>) -> Result<Census, Error> {
        self.pass()?.export(plan, progress).await
    }
}

#[async_trait::async_trait]
impl Upkeep for Gated {
    async fn prunable(&self, range: PruneRange) -> Result<Prunable, Error> {
        self.pass()?.prunable(range).await
    }
    async fn pruned_before(&self) -> Result<Option<Timestamp>, Error> {
        self.pass()?.pruned_before().await
    }
    async fn raise_pruned(&self, before: Timestamp, at: Timestamp) -> Result<(), Error> {
        self.pass()?.raise_pruned(before, at).await
    }
    async fn drop_partitions(&self, range: PruneRange) -> Result<u64, Error> {
        self.pass()?.drop_partitions(range).await
    }
    async fn prune(&self, slice: PruneSlice) -> Result<Pruned, Error> {
        self.pass()?.prune(slice).await
    }
}

#[async_trait::async_trait]
impl Fleet for Gated {
    async fn beat(&self, log: LogKey, profile: ServerProfile) -> Result<(), Error> {
        self.pass()?.beat(log, profile).await
    }
    async fn depart(&self, log: LogKey, departure: Departure) -> Result<(), Error> {
        self.pass()?.depart(log, departure).await
    }
    async fn servers(&self) -> Result<Vec<ServerSeen>, Error> {
        self.pass()?.servers().await
    }
    async fn retire(&self, log: LogKey, by: Option<LogKey>, silent_for: Duration) -> Result<bool, Error> {
        self.pass()?.retire(log, by, silent_for).await
    }
    async fn take_on_retired(&self, log: LogKey, from: Option<LogKey>, by: LogKey) -> Result<bool, Error> {
        self.pass()?.take_on_retired(log, from, by).await
    }
    async fn retirement(&self, log: LogKey) -> Result<Option<Retirement>, Error> {
        self.pass()?.retirement(log).await
    }
}

#[async_trait::async_trait]
impl Jobs for Gated {
    async fn lead(&self, job: &str) -> Result<Option<Box<dyn Lease>>, Error> {
        self.pass()?.lead(job).await
    }
    async fn begin_run(&self, run: MaintenanceRun) -> Result<(), Error> {
        self.pass()?.begin_run(run).await
    }
    async fn end_run(&self, id: RunId, at: Timestamp, end: RunOutcome, detail: String) -> Result<(), Error> {
        self.pass()?.end_run(id, at, end, detail).await
    }
    async fn runs(
        &self,
        job: &str,
        outcome: Option<RunOutcome>,
        limit: usize,
    ) -> Result<Vec<MaintenanceRun>, Error> {
        self.pass()?.runs(job, outcome, limit).await
    }
    async fn scheduled_since(&self, job: &str, now: Timestamp) -> Result<Timestamp, Error> {
        self.pass()?.scheduled_since(job, now).await
    }
}

#[async_trait::async_trait]
impl Erasing for Gated {
    async fn erase(&self, id: RequestId, at: Timestamp) -> Result<Erasure, Error> {
        self.pass()?.erase(id, at).await
    }
    async fn erased_of(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.pass()?.erased_of(ids).await
    }
}

#[async_trait::async_trait]
impl Spending for Gated {
    async fn own_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        minute: Timestamp,
        ended_before: Timestamp,
    ) -> Result<OwnSpending, Error> {
        self.pass()?.own_spending(logs, month, minute, ended_before).await
    }
    async fn others_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        day: Timestamp,
        minute: Timestamp,
    ) -> Result<Vec<OthersSpending>, Error> {
        self.pass()?.others_spending(logs, month, day, minute).await
    }
}

#[async_trait::async_trait]
impl Statistics for Gated {
    async fn totals(&self, new_since: Timestamp) -> Result<Totals, Error> {
        self.pass()?.totals(new_since).await
    }
}

#[async_trait::async_trait]
impl Registry for Gated {
    async fn add_key(&self, key: KeyRecord) -> Result<(), Error> {
        self.pass()?.add_key(key).await
    }
    async fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.pass()?.keys().await
    }
    async fn active_keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.pass()?.active_keys().await
    }
    async fn limit_key(&self, id: KeyId, limits: KeyLimits) -> Result<Option<KeyRecord>, Error> {
        self.pass()?.limit_key(id, limits).await
    }
    async fn revoke_key(&self, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error> {
        self.pass()?.revoke_key(id, at).await
    }
    async fn switches(&self) -> Result<Vec<ProviderSwitch>, Error> {
        self.pass()?.switches().await
    }
    async fn switch_provider(&self, switch: ProviderSwitch) -> Result<(), Error> {
        self.pass()?.switch_provider(switch).await
    }
    async fn breakers(&self) -> Result<Vec<BreakerNote>, Error> {
        self.pass()?.breakers().await
    }

    async fn note_breaker(&self, note: BreakerNote) -> Result<(), Error> {
        self.pass()?.note_breaker(note).await
    }

    async fn reset_provider(&self, provider: ProviderName) -> Result<(), Error> {
        self.pass()?.reset_provider(provider).await
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
    async fn migrations(&self) -> Result<Vec<MigrationStatus>, Error> {
        self.pass()?.migrations().await
    }
    async fn weaknesses(&self) -> Result<Vec<Weakness>, Error> {
        self.pass()?.weaknesses().await
    }
    async fn rewind(&self, log: LogKey, to: u64) -> Result<(), Error> {
        self.pass()?.rewind(log, to).await
    }
    async fn apply(&self, batch: Batch) -> Result<Applied, Error> {
        let refused = self.refused.lock().unwrap().clone();
        let is_refused = |logged: &LoggedEvent| match &logged.event.body {
            EventBody::Token(token) => Some(&token.text) == refused.as_ref(),
            _ => false,
        };
        if batch.events.iter().any(is_refused) {
            return Err(Error::Refused("that text".into()));
        }
        self.pass()?.apply(batch).await
    }
    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error> {
        self.pass()?.events(id, from, limit).await
    }
    async fn answer_with_call(
        &self,
        owner: Option<KeyId>,
        call_id: String,
        not_before: Timestamp,
    ) -> Result<Option<(RequestId, AttemptSeq)>, Error> {
        self.pass()?.answer_with_call(owner, call_id, not_before).await
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
    async fn find_idempotent(
        &self,
        owner: Option<KeyId>,
        key: String,
        from: Timestamp,
    ) -> Result<Option<IdempotentMatch>, Error> {
        self.pass()?.find_idempotent(owner, key, from).await
    }
    async fn make_durable(&self) -> Result<(), Error> {
        self.pass()?.make_durable().await
    }
    async fn known_requests(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.pass()?.known_requests(ids).await
    }
    async fn check(&self, slice: CheckSlice) -> Result<Checked, Error> {
        self.pass()?.check(slice).await
    }
    async fn last_clean_check(&self) -> Result<Option<Timestamp>, Error> {
        self.pass()?.last_clean_check().await
    }
    async fn record_clean_check(&self, at: Timestamp, covered_until: Timestamp) -> Result<(), Error> {
        self.pass()?.record_clean_check(at, covered_until).await
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}
