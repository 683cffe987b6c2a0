//! Bringing a restored database forward, log by log.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use wordhoard_engine::replay::{FENCE, ReplayPlan, first_event_at, replay};
use wordhoard_model::Timestamp;
use wordhoard_store::{Batch, Census, LogKey, Store};
use wordhoard_wal::inspect;

use super::{Phase, Plan};
use crate::Error;
use crate::error::At;
use crate::fence;
use crate::manifest::log_key;
use crate::swap::Target;

/// What was replayed, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Forward {
    pub(super) events: u64,
    pub(super) missing_records: u64,
    pub(super) last_event_at: Option<Timestamp>,
    /// Whether something later than the moment that was asked for was there.
    pub(super) reached_to: bool,
    pub(super) sets_log_aside: bool,
    /// Where logs end from now on, by their ids in hexadecimal.
    pub(super) fences: BTreeMap<String, u64>,
    pub(super) former_logs: Vec<LogKey>,
}

pub(super) async fn bring(
    store: &dyn Store,
    plan: &Plan,
    census: &Census,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<Forward, Error> {
    if plan.replays
        && let Some(dir) = plan.archive_dir.as_ref().filter(|dir| !dir.is_dir() && !plan.accept_gaps)
    {
        return Err(Error::OutOfReach(format!(
            "{} is not there: without the archive of the log nothing can be replayed; is its disk mounted?",
            dir.display()
        )));
    }
    let live = live_log(plan)?;
    // Where not everything is wanted, the log would bring back the rest.
    let sets_log_aside = live.is_some() && (plan.to.is_some() || !plan.replays);
    let mut forward = Forward { sets_log_aside, ..Forward::default() };
    let known: BTreeMap<_, _> = census.positions.iter().copied().map(|(log, at)| (log.0, at)).collect();
    let mut logs: Vec<LogKey> = census.positions.iter().map(|(log, _)| *log).collect();
    logs.extend(archived_logs(plan)?);
    logs.extend(live);
    for log in in_order(logs, plan, &known, live).await? {
        // What SQL had of a retired server's log when it was retired is all that there is of it.
        let is_retired = store.retirement(log).await?.is_some();
        if plan.replays && !is_retired {
            let gained = bring_log(store, plan, log, live, progress).await?;
            forward.events += gained.events;
            forward.missing_records += gained.missing_records;
            forward.last_event_at = forward.last_event_at.max(gained.last_event_at);
            forward.reached_to |= gained.reached_until;
        }
        let goes_on = live == Some(log) && !sets_log_aside;
        // A database in a file has no other servers, so all its logs are this data directory's.
        let is_ours = matches!(plan.target, Target::Sqlite(_)) || live == Some(log);
        let is_former = is_ours && !goes_on && (known.contains_key(&log.0) || plan.replays);
        let is_fenced = match &plan.archive_dir {
            Some(dir) => fence::read(&dir.join(format!("{log:?}")))?.is_some(),
            None => false,
        };
        // One that was ended once stays ended, whatever the backup says of it. So does one whose disk is taken for lost: if
        // it comes back, what it recorded meanwhile is of another time.
        if !is_retired && (plan.to.is_some() || !plan.replays || is_fenced || is_former) {
            let position = fence(store, log).await?;
            forward.fences.insert(format!("{log:?}"), position);
        }
        if is_former {
            forward.former_logs.push(log);
        }
    }
    Ok(forward)
}

/// The logs, each after those whose requests it may go on with.
async fn in_order(
    mut logs: Vec<LogKey>,
    plan: &Plan,
    known: &BTreeMap<[u8; 16], u64>,
    live: Option<LogKey>,
) -> Result<Vec<LogKey>, Error> {
    logs.sort_by_key(|log| log.0);
    logs.dedup();
    let places: Vec<_> = logs
        .into_iter()
        .map(|log| (log, dirs(plan, log, live), known.get(&log.0).copied().unwrap_or(0)))
        .collect();
    let reading = tokio::task::spawn_blocking(move || {
        let begun = |(log, dirs, from): &(LogKey, Vec<PathBuf>, u64)| {
            // One without events comes first: nothing of it is replayed.
            first_event_at(*log, dirs, *from).map(Timestamp::as_millis)
        };
        let mut places = places;
        places.sort_by_cached_key(begun);
        places.into_iter().map(|(log, _, _)| log).collect()
    });
    reading.await.map_err(|_| Error::BrokenOff)
}

/// The folders that hold a log: its archive, and where it is written if that is here.
fn dirs(plan: &Plan, log: LogKey, live: Option<LogKey>) -> Vec<PathBuf> {
    let archived = plan.archive_dir.iter().map(|dir| dir.join(format!("{log:?}")));
    archived.chain((live == Some(log)).then(|| plan.log_dir.clone())).collect()
}

async fn bring_log(
    store: &dyn Store,
    plan: &Plan,
    log: LogKey,
    live: Option<LogKey>,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<wordhoard_engine::replay::Replayed, Error> {
    let archived = plan.archive_dir.iter().map(|dir| dir.join(format!("{log:?}")));
    let end = archived.into_iter().next().map_or(Ok(None), |folder| fence::read(&folder))?;
    let replay_plan =
        ReplayPlan { log, dirs: dirs(plan, log, live), until: plan.to, end, accept_gaps: plan.accept_gaps };
    let told = |position| progress(Phase::Replaying { position });
    Ok(replay(store, &replay_plan, told).await?)
}

/// No server may apply more of this log: it holds what came after the moment that was asked for. Gives the position at
/// which it ends.
async fn fence(store: &dyn Store, log: LogKey) -> Result<u64, Error> {
    let from = store.applied(log).await?;
    if from < FENCE {
        store.apply(Batch { log, from, through: FENCE, events: Vec::new() }).await?;
    }
    Ok(from)
}

/// The log of the data directory, if there is one.
fn live_log(plan: &Plan) -> Result<Option<LogKey>, Error> {
    if !plan.log_dir.is_dir() {
        return Ok(None);
    }
    let files = inspect::segment_files(&plan.log_dir).at(&plan.log_dir)?;
    // Its newest segment says whose it is; the others need not be read for that.
    let Some((newest, _)) = files.into_iter().max_by_key(|(base, _)| *base) else { return Ok(None) };
    let scan = inspect::scan_from(&plan.log_dir, newest).map_err(std::io::Error::other).at(&plan.log_dir)?;
    Ok(scan.summary().log_id.map(|id| LogKey(id.0)))
}

/// The logs that the archive has.
fn archived_logs(plan: &Plan) -> Result<Vec<LogKey>, Error> {
    let Some(dir) = plan.archive_dir.as_ref().filter(|dir| dir.is_dir()) else { return Ok(Vec::new()) };
    let mut logs = Vec::new();
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        if entry.file_type().at(&entry.path())?.is_dir() {
            logs.extend(entry.file_name().to_str().and_then(log_key));
        }
    }
    Ok(logs)
}
