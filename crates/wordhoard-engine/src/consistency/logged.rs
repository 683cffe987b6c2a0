//! What the log knows of requests that SQL should have.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use wordhoard_model::RequestId;
use wordhoard_store::{Error, Fault, Finding, LoggedEvent, Store};
use wordhoard_wal::{Position, Record, inspect};

use super::LogPlaces;
use crate::record;
use crate::replay::FENCE;

/// Events that are put back in one transaction.
const BATCH_EVENTS: usize = 5_000;
/// Ids that SQL is asked about at once.
const BATCH_IDS: usize = 1_000;
/// Bytes of the log that one step reads.
const STEP_BYTES: usize = 1 << 20;

/// Where records of a log can be read.
pub(super) enum LogSource {
    /// A log that this process has open.
    Open(wordhoard_wal::Wal),
    /// A folder with segments.
    Dir(std::path::PathBuf),
}

impl LogPlaces {
    /// The log itself.
    fn log_source(&self) -> Option<LogSource> {
        let open = self.wal.clone().map(LogSource::Open);
        open.or_else(|| self.dir.clone().map(LogSource::Dir))
    }

    /// The archive, where the log has let something go; and the end of what is needed of it.
    fn archive_source(&self) -> Option<(LogSource, Position)> {
        let first = match (&self.wal, &self.dir) {
            (Some(wal), _) => wal.usage().first,
            (None, Some(dir)) => {
                let files = inspect::segment_files(dir).unwrap_or_default();
                files.into_iter().map(|(base, _)| base).min()?
            }
            (None, None) => return None,
        };
        let archive = self.archive.clone().filter(|_| first > Position::default())?;
        Some((LogSource::Dir(archive), first))
    }
}

impl LogSource {
    /// Visits the records below `end`, as far as they are there, until `visit` says that it is enough.
    fn walk(&self, end: Position, mut visit: impl FnMut(&Record) -> bool) {
        match self {
            Self::Open(wal) => {
                let Ok(mut reader) = wal.reader(wal.usage().first) else { return };
                while reader.position() < end {
                    let records = match reader.next_batch(STEP_BYTES) {
                        Ok(records) if records.is_empty() => return,
                        Ok(records) => records,
                        // Damaged: the reader stands behind it.
                        Err(wordhoard_wal::ReadError::Damaged { .. }) => continue,
                        // Let go meanwhile, or the disk failed: what follows is not needed, or cannot be had.
                        Err(error) => {
                            tracing::warn!(%error, "the log cannot be read to its end for a repair");
                            return;
                        }
                    };
                    if !records.iter().take_while(|found| found.position < end).all(&mut visit) {
                        return;
                    }
                }
            }
            Self::Dir(dir) if dir.is_dir() => match inspect::scan(dir) {
                Ok(scan) => {
                    for found in scan.flatten().take_while(|found| found.position < end) {
                        if !visit(&found) {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(dir = %dir.display(), %error, "a log cannot be read for a repair");
                }
            },
            Self::Dir(_) => {}
        }
    }
}

/// The requests that begin in the log, were applied, and of which SQL has no row though they were not pruned.
pub(super) async fn requests_that_sql_has_lost(
    store: &dyn Store,
    places: &LogPlaces,
) -> Result<Vec<Finding>, Error> {
    let applied = store.applied(places.log).await?;
    if applied >= FENCE {
        return Ok(Vec::new());
    }
    let (found, mut ids) = mpsc::channel(2);
    let source = places.log_source();
    let reading = tokio::task::spawn_blocking(move || {
        let mut gathered = Vec::with_capacity(BATCH_IDS);
        if let Some(source) = source {
            source.walk(Position(applied), |record| {
                let begins = record.kind == record::KIND_REQUEST_CREATED;
                gathered.extend(record::request_id(&record.payload).filter(|_| begins));
                gathered.len() < BATCH_IDS || found.blocking_send(std::mem::take(&mut gathered)).is_ok()
            });
        }
        drop(found.blocking_send(gathered));
    });
    let mut findings = Vec::new();
    while let Some(asked) = ids.recv().await {
        let known: BTreeSet<_> = store.known_requests(asked.clone()).await?.into_iter().collect();
        let lost = asked.into_iter().filter(|id| !known.contains(id));
        findings.extend(lost.map(|request_id| Finding {
            request_id,
            attempt_seq: None,
            fault: Fault::RequestMissing,
        }));
    }
    drop(reading.await);
    // Asked last: what was found gone was pruned only behind this mark.
    if !findings.is_empty()
        && let Some(before) = store.pruned_before().await?
    {
        findings.retain(|finding| finding.request_id.accepted_at() >= before);
    }
    Ok(findings)
}

/// The events of these requests that were applied, as far as the log still has them, in batches.
pub(super) fn events_of(
    places: &LogPlaces,
    applied: u64,
    requests: BTreeSet<RequestId>,
) -> mpsc::Receiver<Vec<LoggedEvent>> {
    let (found, events) = mpsc::channel(2);
    let applied = Position(applied);
    let archived = places.archive_source().map(|(source, first)| (source, first.min(applied)));
    let sources = archived.into_iter().chain(places.log_source().map(|source| (source, applied)));
    let sources: Vec<_> = sources.collect();
    // Ends by itself, or when nobody listens any more.
    drop(tokio::task::spawn_blocking(move || {
        let mut gathered = Vec::new();
        for (source, end) in sources {
            source.walk(end, |record| {
                let wanted = record::request_id(&record.payload).is_some_and(|id| requests.contains(&id));
                if wanted && let Ok(logged) = record::decode_logged(record) {
                    gathered.extend(logged);
                }
                gathered.len() < BATCH_EVENTS || found.blocking_send(std::mem::take(&mut gathered)).is_ok()
            });
        }
        if !gathered.is_empty() {
            drop(found.blocking_send(gathered));
        }
    }));
    events
}
