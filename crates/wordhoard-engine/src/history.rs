//! Events that memory does not have (any more): from SQL, or from the log where SQL does not have them yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wordhoard_model::{Event, RequestId, Seq};
use wordhoard_store::Store;
use wordhoard_wal::{Position, Wal};

use crate::hub::LiveRequest;
use crate::record;

/// How long SQL may take to give a page.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the log that one step of a scan reads.
const SCAN_BYTES: usize = 1 << 20;
/// Scans of the log at the same time: each takes a thread and some steps of memory.
const CONCURRENT_SCANS: usize = 4;

/// Why events could not be given.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database cannot be asked now.
    #[error("the history cannot be read now: {0}")]
    Unavailable(String),
    /// The log failed while the request ran; the reader shall come back.
    #[error("recording was interrupted; read again from the last event")]
    Interrupted,
    /// What is there has a gap. An alarm, never passed over.
    #[error("event {missing} of request {id} is missing")]
    Gap {
        /// Whose event.
        id: RequestId,
        /// Which one.
        missing: Seq,
    },
}

/// Reads events of the past.
#[derive(Debug)]
pub(crate) struct History {
    store: Arc<dyn Store>,
    wal: Wal,
    scans: Arc<Semaphore>,
}

impl History {
    pub(crate) fn new(store: Arc<dyn Store>, wal: Wal) -> Self {
        Self { store, wal, scans: Arc::new(Semaphore::new(CONCURRENT_SCANS)) }
    }

    /// Events that SQL has, from `from` on. Empty where it has none.
    pub(crate) async fn stored(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let events = match tokio::time::timeout(READ_PATIENCE, self.store.events(id, from, limit)).await {
            Ok(events) => events.map_err(|error| ReadError::Unavailable(error.to_string()))?,
            Err(_) => return Err(ReadError::Unavailable("SQL does not answer".into())),
        };
        without_gap(id, from, events.into_iter().map(Arc::new).collect())
    }

    /// Visible events `from..end` of a request in memory, from SQL if it has them, otherwise from the log. At least
    /// one.
    pub(crate) async fn of_live(
        &self,
        live: &Arc<LiveRequest>,
        from: Seq,
        end: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let limit = limit.min(usize::try_from(end.0 - from.0).unwrap_or(limit));
        let stored = self.stored(live.id(), from, limit).await;
        if matches!(&stored, Ok(events) if !events.is_empty()) {
            return stored;
        }
        let Some(position) = live.position_before(from) else {
            // Written before this server started, so it is in SQL or nowhere.
            return stored.and(Err(ReadError::Gap { id: live.id(), missing: from }));
        };
        let place = Arc::clone(&self.scans).acquire_owned().await;
        let (wal, id) = (self.wal.clone(), live.id());
        let scan = tokio::task::spawn_blocking(move || {
            let _place = place;
            scan(&wal, position, id, from, limit)
        })
        .await;
        let events = scan.map_err(|error| ReadError::Unavailable(error.to_string()))??;
        if events.is_empty() {
            return Err(ReadError::Gap { id, missing: from });
        }
        without_gap(id, from, events)
    }
}

/// Events of one request in the log, from `from` on. Stops at the limit or at the durable end.
fn scan(
    wal: &Wal,
    position: Position,
    id: RequestId,
    from: Seq,
    limit: usize,
) -> Result<Vec<Arc<Event>>, ReadError> {
    let unavailable = |error: &dyn std::fmt::Display| ReadError::Unavailable(error.to_string());
    let mut reader = wal.reader(position).map_err(|error| unavailable(&error))?;
    let mut events = Vec::new();
    while events.len() < limit {
        let records = match reader.next_batch(SCAN_BYTES) {
            Ok(records) => records,
            // The hole may be another request's; if it is ours, the caller finds the gap.
            Err(wordhoard_wal::ReadError::Damaged { .. }) => continue,
            Err(error) => return Err(unavailable(&error)),
        };
        if records.is_empty() {
            break;
        }
        for found in records.iter().filter(|found| record::request_id(&found.payload) == Some(id)) {
            let decoded = record::decode(found.kind, found.version, &found.payload);
            if let Some((_, event)) = decoded.map_err(|error| unavailable(&error))?
                && event.seq >= from
                && events.len() < limit
            {
                events.push(Arc::new(event));
            }
        }
    }
    Ok(events)
}

/// The events up to the first that is missing; an error where that is the very first.
fn without_gap(id: RequestId, from: Seq, mut events: Vec<Arc<Event>>) -> Result<Vec<Arc<Event>>, ReadError> {
    let whole = (from.0..).zip(&events).take_while(|(expected, event)| event.seq.0 == *expected).count();
    if whole == 0 && !events.is_empty() {
        return Err(ReadError::Gap { id, missing: from });
    }
    events.truncate(whole);
    Ok(events)
}
