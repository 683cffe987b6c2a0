//! The checks of a running server: what is recent at the start and from time to time, everything once a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::Error;

use super::{CheckPlan, CheckReport, Depth, LogPlaces, check};
use crate::applier::Link;
use crate::engine::Inner;

/// How often what is recent is checked; so also how much the next start has to look at.
const RECENT_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How often everything is.
const WHOLE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// When everything is checked first, so that a start is not burdened with it.
const FIRST_WHOLE: Duration = Duration::from_secs(60);
/// How often it is looked whether a check is due.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A rest between slices while prompts are served.
const PAUSE: Duration = Duration::from_millis(20);
/// Clocks of servers that share a database may differ by so much, and a clean check covers that much less.
const CLOCK_MARGIN_MS: i64 = 10 * 60 * 1_000;
/// Findings that are written into the log (SPEC FD 7).
const LOGGED_FINDINGS: usize = 10;

/// Why a check told nothing.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Another one runs.
    #[error("a check is running")]
    Running,
    /// SQL could not be asked to the end.
    #[error("the check could not be made: {0}")]
    Store(#[from] Error),
}

/// What the checks so far have said.
#[derive(Clone, Debug, Default)]
pub struct ConsistencyStatus {
    /// Whether something is missing or wrong; nothing where no check has come to its end yet.
    pub token_gap: Option<bool>,
    /// When the last check that came to its end began.
    pub last_check: Option<Timestamp>,
    /// Why the newest try told nothing, where it did not.
    pub last_problem: Option<String>,
    /// What the newest checks of what is recent, and of everything, have said.
    pub recent: Option<CheckReport>,
    /// See `recent`.
    pub whole: Option<CheckReport>,
}

impl ConsistencyStatus {
    /// How much is wrong, as far as is known.
    pub fn finding_count(&self) -> u64 {
        let reports = [&self.whole, &self.recent].into_iter().flatten();
        reports.map(|report| report.finding_count).max().unwrap_or(0)
    }
}

/// The state of the checks.
#[derive(Debug, Default)]
pub(crate) struct Consistency {
    status: Mutex<ConsistencyStatus>,
    running: tokio::sync::Mutex<()>,
}

impl Consistency {
    pub(crate) fn status(&self) -> ConsistencyStatus {
        self.status.lock().clone()
    }

    fn note(&self, result: &Result<CheckReport, Error>) {
        let mut status = self.status.lock();
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "the consistency of SQL could not be checked");
                status.last_problem = Some(error.to_string());
                return;
            }
        };
        tell(report);
        status.last_problem = None;
        status.last_check = Some(report.started_at);
        if report.depth == Depth::Whole {
            status.whole = Some(report.clone());
            // It has seen everything that a check of what is recent would see.
            status.recent = None;
        } else {
            status.recent = Some(report.clone());
        }
        let with_findings = |report: &CheckReport| report.finding_count > 0;
        let reports = [&status.whole, &status.recent];
        let token_gap = reports.into_iter().flatten().any(with_findings);
        status.token_gap = Some(token_gap);
    }
}

fn tell(report: &CheckReport) {
    let CheckReport { requests, tokens, repaired_events, elapsed_ms, finding_count, .. } = report;
    let depth = report.depth.as_str();
    if *repaired_events > 0 {
        tracing::warn!(depth, repaired_events, "SQL had lost events; they were put back from the log");
    }
    if *finding_count == 0 {
        tracing::info!(depth, requests, tokens, elapsed_ms, "SQL is consistent");
        return;
    }
    tracing::warn!(depth, requests, tokens, elapsed_ms, finding_count, "SQL is not consistent");
    for finding in report.telling(LOGGED_FINDINGS) {
        tracing::warn!(%finding, "SQL is not consistent");
    }
}

impl Inner {
    pub(crate) fn log_places(&self) -> LogPlaces {
        let archive = self.settings.archive.as_ref().map(|archive| archive.dir_of(self.log()));
        LogPlaces { log: self.log(), wal: Some(self.wal.clone()), dir: None, archive }
    }

    /// Checks, repairs, and keeps the result.
    pub(crate) async fn check(&self, depth: Depth, pause: Duration) -> Result<CheckReport, CheckError> {
        let _alone = self.consistency.running.try_lock().map_err(|_| CheckError::Running)?;
        let now = self.clock.now();
        let plan = CheckPlan { depth, now, log: Some(self.log_places()), repair: true, pause };
        // What waits to be applied could be older than the check, and is not covered by it.
        let nothing_waits = self.applier.backlog() <= self.settings.flush_tokens * 64;
        let result = check(&*self.store, &plan).await;
        self.consistency.note(&result);
        let report = result?;
        if report.finding_count == 0 && nothing_waits {
            let covered_until = Timestamp::from_millis(now.as_millis() - CLOCK_MARGIN_MS);
            self.store.record_clean_check(self.clock.now(), covered_until).await?;
        }
        Ok(report)
    }
}

/// Checks from time to time, while SQL is there. What is recent was checked at the start if `recent_is_done`.
pub(crate) async fn run(engine: Arc<Inner>, mut recent_is_done: bool, stop: CancellationToken) {
    let mut link = engine.applier.watch_link();
    let (mut recent, mut whole) = (Instant::now(), Instant::now());
    let mut whole_interval = FIRST_WHOLE;
    loop {
        let depth = if !recent_is_done || recent.elapsed() >= RECENT_INTERVAL {
            Some(Depth::Recent)
        } else if whole.elapsed() >= whole_interval {
            Some(Depth::Whole)
        } else {
            None
        };
        let up = matches!(*link.borrow_and_update(), Link::Up) && engine.hub.is_whole();
        if let Some(depth) = depth.filter(|_| up) {
            let check = engine.check(depth, PAUSE);
            let made = tokio::select! {
                () = stop.cancelled() => return,
                made = check => made.is_ok(),
            };
            match (made, depth) {
                (true, Depth::Recent) => (recent_is_done, recent) = (true, Instant::now()),
                (true, Depth::Whole) => (whole_interval, whole) = (WHOLE_INTERVAL, Instant::now()),
                (false, _) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}
