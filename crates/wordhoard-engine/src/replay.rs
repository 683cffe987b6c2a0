//! Brings SQL from an older state forward, from the archive of a log: after a backup was restored, and where SQL lacks
//! what the log has let go.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use wordhoard_model::Timestamp;
use wordhoard_store::{Applied, Batch, Error, LogKey, LoggedEvent, Store};
use wordhoard_wal::{DamageKind, OpenError, Position, ReadError, Record, inspect};

use crate::record;

/// The applied position of a log that a restore to an earlier moment has ended: no log is so long, so no server
/// applies more of it.
pub const FENCE: u64 = 1 << 62;
/// Events, and bytes of their records, of one transaction.
const BATCH_EVENTS: usize = 5_000;
const BATCH_BYTES: usize = 3 << 20;

/// What is replayed, and how far.
#[derive(Clone, Debug)]
pub struct ReplayPlan {
    /// Whose log.
    pub log: LogKey,
    /// Folders with segments of it: its archive, and the log itself where nobody has it open. Where one ends or is
    /// damaged, another may go on.
    pub dirs: Vec<PathBuf>,
    /// Only events up to this moment: the first later one ends it.
    pub until: Option<Timestamp>,
    /// Only records below this position.
    pub end: Option<u64>,
    /// Whether records that are nowhere are passed over. Otherwise they end it with an error.
    pub accept_gaps: bool,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The applied position that it found.
    pub from: u64,
    /// The applied position now.
    pub through: u64,
    /// Events that were new.
    pub events: u64,
    /// Records that are nowhere.
    pub missing_records: u64,
    /// Events that SQL refuses, or that say something else than SQL in their place.
    pub passed_over: u64,
    /// The time of the last event that was applied.
    pub last_event_at: Option<Timestamp>,
    /// Whether it ended because of [`ReplayPlan::until`].
    pub reached_until: bool,
}

/// Why a replay did not come to its end. What was applied before stays, and is whole up to there.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// SQL could not take it.
    #[error(transparent)]
    Store(#[from] Error),
    /// A folder could not be read.
    #[error("{dir}: {source}")]
    Archive {
        /// Which folder.
        dir: PathBuf,
        /// Why not.
        source: OpenError,
    },
    /// Records are neither in the archive nor in the log.
    #[error(
        "records {from} to {to} of log {log:?} are in none of its folders, or damaged: put another copy of them there, \
         restore without the replay, or accept the gap"
    )]
    Missing {
        /// Whose.
        log: LogKey,
        /// The first one.
        from: u64,
        /// The next one that is there.
        to: u64,
    },
    /// A record is of a newer server.
    #[error("record {position}: {source}")]
    Undecodable {
        /// Which one.
        position: u64,
        /// What is wrong with it.
        source: record::Error,
    },
    /// SQL has something else in the place of an event: the backup and the log do not belong together.
    #[error(
        "request {request_id}: SQL holds something else ({what}); the log does not belong to this database"
    )]
    Conflict {
        /// Whose event.
        request_id: String,
        /// What differs.
        what: String,
    },
}

/// Applies what the folders have behind the applied position of the log. `progress` is told the position reached.
///
/// # Errors
/// Why not all of it could be applied.
pub async fn replay(
    store: &dyn Store,
    plan: &ReplayPlan,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Replayed, ReplayError> {
    let from = store.applied(plan.log).await?;
    let mut done = Replayed { from, through: from, ..Replayed::default() };
    let (batches, mut found) = mpsc::channel(2);
    let walk = Walk {
        plan: plan.clone(),
        position: Position(from),
        batches,
        events: Vec::new(),
        bytes: 0,
        cut_at: None,
    };
    let reading = tokio::task::spawn_blocking(move || walk.run());
    while let Some(step) = found.recv().await {
        if step.through == done.through {
            continue;
        }
        let batch = Batch { log: plan.log, from: done.through, through: step.through, events: step.events };
        let last = batch.events.last().map(|logged| logged.event.at);
        let (applied, refused) = apply(store, batch, plan.accept_gaps).await?;
        done.passed_over += refused + applied.conflicts.len() as u64;
        for conflict in applied.conflicts {
            let request_id = conflict.request_id.to_string();
            tracing::error!(
                request_id,
                what = conflict.what,
                "SQL holds something else in the place of an event"
            );
            if !plan.accept_gaps {
                return Err(ReplayError::Conflict { request_id, what: conflict.what });
            }
        }
        done.events += applied.inserted;
        done.missing_records += step.missing_records;
        done.last_event_at = last.or(done.last_event_at);
        done.through = step.through;
        progress(done.through);
    }
    let ended = reading.await.unwrap_or(Ok(false));
    done.reached_until = ended?;
    Ok(done)
}

/// Applies a batch; a row that SQL refuses is found by halving, and passed over if that is accepted. Gives how many
/// were.
async fn apply(store: &dyn Store, batch: Batch, accept_refused: bool) -> Result<(Applied, u64), Error> {
    let (mut all, mut refused) = (Applied::default(), 0);
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        match store.apply(part.clone()).await {
            Ok(applied) => {
                all.inserted += applied.inserted;
                all.already_there += applied.already_there;
                all.conflicts.extend(applied.conflicts);
            }
            Err(Error::Refused(reason)) if accept_refused => match part.halves() {
                Ok((first, second)) => parts.extend([second, first]),
                Err(part) => {
                    tracing::error!(position = part.from, reason, "SQL refuses a record; it is passed over");
                    refused += part.events.len() as u64;
                    parts.push(Batch { events: Vec::new(), ..part });
                }
            },
            Err(error) => return Err(error),
        }
    }
    Ok((all, refused))
}

/// The time of the first event that the folders have of a log from `from` on. A log that was begun after another one
/// may go on with its requests, so it has to be replayed after it.
#[must_use]
pub fn first_event_at(log: LogKey, dirs: &[PathBuf], from: u64) -> Option<Timestamp> {
    dirs.iter().filter(|dir| dir.is_dir()).find_map(|dir| {
        let scan = inspect::scan_from(dir, Position(from)).ok()?;
        scan.summary().log_id.filter(|id| LogKey(id.0) == log)?;
        let mut events = scan
            .flatten()
            .filter_map(|found| record::decode(found.kind, found.version, &found.payload).ok().flatten())
            .flat_map(|(_, events)| events);
        events.next().map(|event| event.at)
    })
}

/// A piece of the log, decoded.
struct Step {
    events: Vec<LoggedEvent>,
    through: u64,
    missing_records: u64,
}

/// Reads the folders beside the async threads.
struct Walk {
    plan: ReplayPlan,
    /// The next record.
    position: Position,
    batches: mpsc::Sender<Step>,
    events: Vec<LoggedEvent>,
    bytes: usize,
    /// Where a folder ends whose newest segment was cut: there may have been more.
    cut_at: Option<Position>,
}

/// Why the walk through one folder is over.
enum Pause {
    /// It has no more; it ends at, or has a hole up to, a later position if one is given.
    Exhausted { goes_on_at: Option<Position> },
    /// The plan wants no more, or nobody listens any more. True where its time is reached.
    Done(bool),
}

impl Walk {
    fn run(mut self) -> Result<bool, ReplayError> {
        loop {
            let start = self.position;
            let mut goes_on_at: Option<Position> = None;
            for dir in self.plan.dirs.clone() {
                match self.walk(&dir)? {
                    Pause::Done(reached_until) => return Ok(reached_until),
                    Pause::Exhausted { goes_on_at: found } => {
                        goes_on_at =
                            goes_on_at.into_iter().chain(found).filter(|at| *at > self.position).min();
                    }
                }
            }
            if self.position > start {
                continue;
            }
            let Some(behind) = goes_on_at else {
                self.flush(0);
                if self.cut_at == Some(self.position) && !self.plan.accept_gaps {
                    let (from, to) = (self.position.0, self.position.0 + 1);
                    return Err(ReplayError::Missing { log: self.plan.log, from, to });
                }
                return Ok(false);
            };
            let (from, to) = (self.position.0, behind.0);
            if !self.plan.accept_gaps {
                self.flush(0);
                return Err(ReplayError::Missing { log: self.plan.log, from, to });
            }
            tracing::warn!(from, to, log = ?self.plan.log, "records of the log are nowhere; they are passed over");
            self.position = behind;
            if !self.flush(to - from) {
                return Ok(false);
            }
        }
    }

    fn walk(&mut self, dir: &Path) -> Result<Pause, ReplayError> {
        if !dir.is_dir() {
            return Ok(Pause::Exhausted { goes_on_at: None });
        }
        let broken = |source| ReplayError::Archive { dir: dir.to_owned(), source };
        let scan = inspect::scan_from(dir, self.position).map_err(broken)?;
        // A folder may hold another log: that of a server that has begun a new one.
        if scan.summary().log_id.is_none_or(|id| LogKey(id.0) != self.plan.log) {
            return Ok(Pause::Exhausted { goes_on_at: None });
        }
        if scan.summary().damage.iter().any(|damage| damage.kind == DamageKind::Truncated) {
            self.cut_at = Some(scan.summary().end);
        }
        for found in scan {
            match found {
                Ok(found) if found.position > self.position => {
                    return Ok(Pause::Exhausted { goes_on_at: Some(found.position) });
                }
                Ok(found) => {
                    if let Some(reached_until) = self.take(&found)? {
                        return Ok(Pause::Done(reached_until));
                    }
                }
                Err(ReadError::Damaged { missing }) => {
                    return Ok(Pause::Exhausted { goes_on_at: Some(missing.end) });
                }
                Err(ReadError::Released { first_available }) => {
                    return Ok(Pause::Exhausted { goes_on_at: Some(first_available) });
                }
                Err(ReadError::Disk(fault)) => return Err(broken(fault.into())),
                Err(ReadError::Ahead { .. }) => break,
            }
        }
        Ok(Pause::Exhausted { goes_on_at: None })
    }

    /// Takes the next record in. Something where the walk is over: whether the time of the plan is reached.
    fn take(&mut self, found: &Record) -> Result<Option<bool>, ReplayError> {
        if self.plan.end.is_some_and(|end| found.position.0 >= end) {
            self.flush(0);
            return Ok(Some(false));
        }
        let logged = match record::decode_logged(found) {
            Ok(logged) => logged,
            Err(error) if self.plan.accept_gaps => {
                tracing::warn!(position = found.position.0, %error, "a record is passed over");
                self.position = found.position.plus(1);
                return Ok((!self.flush(1)).then_some(false));
            }
            Err(source) => {
                self.flush(0);
                return Err(ReplayError::Undecodable { position: found.position.0, source });
            }
        };
        // The events of one record have one time.
        let at = logged.first().map(|first| first.event.at);
        if at.zip(self.plan.until).is_some_and(|(at, until)| at > until) {
            self.flush(0);
            return Ok(Some(true));
        }
        if !logged.is_empty() {
            self.events.extend(logged);
            self.bytes += found.payload.len();
        }
        self.position = found.position.plus(1);
        let has_room = self.events.len() < BATCH_EVENTS && self.bytes < BATCH_BYTES;
        let goes_on = has_room || self.flush(0);
        Ok((!goes_on).then_some(false))
    }

    /// Gives on what was gathered. False where nobody wants it.
    fn flush(&mut self, missing_records: u64) -> bool {
        let events = std::mem::take(&mut self.events);
        self.bytes = 0;
        let step = Step { events, through: self.position.0, missing_records };
        self.batches.blocking_send(step).is_ok()
    }
}
