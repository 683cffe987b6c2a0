//! Whether SQL holds all that the log has given it, and putting back what it has lost.
//!
//! SQL checks itself, slice by slice ([`Store::check`]); what it cannot know, the log does: requests of which SQL has
//! nothing at all. Runs beside the live traffic, in a server or from the command line.

mod logged;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use watch::{CheckError, ConsistencyStatus};
pub(crate) use watch::{Consistency, run};
use wordhoard_model::{RequestId, Timestamp};
use wordhoard_store::{Batch, CheckScope, CheckSlice, Checked, Error, Finding, LogKey, Store};
use wordhoard_wal::Wal;

use crate::replay::FENCE;

/// Requests of one slice: a short transaction, so that no other has to wait for it.
const SLICE_REQUESTS: usize = 200;
/// Findings that are kept of one check; the rest is counted.
const KEPT_FINDINGS: usize = 1_000;
/// Without a clean check that is known, a check of what is recent looks back this far.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

/// How much a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What has changed since the last check without findings, and the newest requests.
    Recent,
    /// Everything.
    Whole,
}

impl Depth {
    /// Its name, as reports have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Whole => "whole",
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// How much it looked at.
    pub depth: Depth,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Requests that it looked at; some are looked at twice.
    pub requests: u64,
    /// Tokens that it looked at.
    pub tokens: u64,
    /// What is wrong, after repairing; the first thousand.
    pub findings: Vec<Finding>,
    /// How much is wrong in all, after repairing.
    pub finding_count: u64,
    /// Events that were put back from the log.
    pub repaired_events: u64,
}

impl CheckReport {
    /// The findings that tell the most: one of each request first, then the others.
    pub fn telling(&self, limit: usize) -> impl Iterator<Item = &Finding> {
        let mut seen = BTreeSet::new();
        let (first, further): (Vec<_>, Vec<_>) =
            self.findings.iter().partition(|finding| seen.insert(finding.request_id));
        first.into_iter().chain(further).take(limit)
    }
}

/// Where a check reads what SQL may have lost.
#[derive(Clone, Debug)]
pub struct LogPlaces {
    /// Whose log it is.
    pub log: LogKey,
    /// The log, where this process has it open.
    pub(crate) wal: Option<Wal>,
    /// The folder of the log, where nobody has it open.
    pub dir: Option<PathBuf>,
    /// The folder of its archive, which has what the log has let go. Only read for repairs, since it may hold weeks.
    pub archive: Option<PathBuf>,
}

impl LogPlaces {
    /// A log that no process has open.
    pub fn closed(log: LogKey, dir: PathBuf, archive: Option<PathBuf>) -> Self {
        Self { log, wal: None, dir: Some(dir), archive }
    }
}

/// How a check is made.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// How much it looks at.
    pub depth: Depth,
    /// When it begins, by the wall clock.
    pub now: Timestamp,
    /// Where the log is, which knows what SQL cannot; none where only SQL is at hand.
    pub log: Option<LogPlaces>,
    /// Whether what is missing is put back, where the log still has it.
    pub repair: bool,
    /// A rest between two slices.
    pub pause: Duration,
}

/// Checks, and repairs what can be repaired.
///
/// # Errors
/// Where SQL cannot be asked to the end: then nothing is known.
pub async fn check(store: &dyn Store, plan: &CheckPlan) -> Result<CheckReport, Error> {
    let started = Instant::now();
    let mut report = CheckReport {
        depth: plan.depth,
        started_at: plan.now,
        elapsed_ms: 0,
        requests: 0,
        tokens: 0,
        findings: Vec::new(),
        finding_count: 0,
        repaired_events: 0,
    };
    let mut damaged = look(store, plan, &mut report).await?;
    if plan.repair && !damaged.is_empty() {
        if let Some(places) = &plan.log {
            report.repaired_events = repair(store, places, std::mem::take(&mut damaged)).await?;
        }
        if report.repaired_events > 0 {
            (report.findings, report.finding_count) = (Vec::new(), 0);
            look(store, plan, &mut report).await?;
        }
    }
    report.elapsed_ms = started.elapsed().as_millis() as u64;
    Ok(report)
}

/// One pass. Gives the requests with findings.
async fn look(
    store: &dyn Store,
    plan: &CheckPlan,
    report: &mut CheckReport,
) -> Result<BTreeSet<RequestId>, Error> {
    let mut damaged = BTreeSet::new();
    let mut take = |checked: Checked, report: &mut CheckReport| {
        report.requests += checked.requests;
        report.tokens += checked.tokens;
        for finding in checked.findings {
            damaged.insert(finding.request_id);
            if report.findings.contains(&finding) {
                continue;
            }
            report.finding_count += 1;
            if report.findings.len() < KEPT_FINDINGS {
                report.findings.push(finding);
            }
        }
    };
    let scope = match plan.depth {
        Depth::Whole => CheckScope::Whole,
        Depth::Recent => {
            // What was changed by hand in a request that had been found clean shows only here.
            let newest = CheckSlice { scope: CheckScope::Whole, before: None, requests: SLICE_REQUESTS };
            take(store.check(newest).await?, report);
            let clean = store.last_clean_check().await?;
            let recent = plan.now.as_millis().saturating_sub(RECENT.as_millis() as i64);
            CheckScope::Changed { since: clean.unwrap_or(Timestamp::from_millis(recent)) }
        }
    };
    let mut before = None;
    loop {
        let slice = CheckSlice { scope, before, requests: SLICE_REQUESTS };
        let mut checked = store.check(slice).await?;
        before = checked.next.take();
        take(checked, report);
        if before.is_none() {
            break;
        }
        tokio::time::sleep(plan.pause).await;
    }
    if let Some(places) = &plan.log {
        let findings = logged::requests_that_sql_has_lost(store, places).await?;
        take(Checked { findings, ..Checked::default() }, report);
    }
    Ok(damaged)
}

/// Applies again what the log still has of these requests: what is there stays, what is missing comes back. Gives how
/// many events came back.
pub(crate) async fn repair(
    store: &dyn Store,
    places: &LogPlaces,
    requests: BTreeSet<RequestId>,
) -> Result<u64, Error> {
    let applied = store.applied(places.log).await?;
    if applied >= FENCE {
        // A restore to an earlier moment has ended this log: what it has more of must not come back.
        return Ok(0);
    }
    // What was erased must not come back.
    let erased = store.erased_of(requests.iter().copied().collect()).await?;
    let requests = requests.into_iter().filter(|id| !erased.contains(id)).collect();
    let mut found = logged::events_of(places, applied, requests);
    let mut repaired = 0;
    while let Some(events) = found.recv().await {
        // Behind what is applied, so the position stays.
        let batch = Batch { log: places.log, from: 0, through: 0, events };
        let applied = store.apply(batch).await?;
        repaired += applied.inserted;
        for conflict in applied.conflicts {
            tracing::error!(request_id = %conflict.request_id, what = conflict.what, "SQL holds something else in the place of an event");
        }
    }
    Ok(repaired)
}
