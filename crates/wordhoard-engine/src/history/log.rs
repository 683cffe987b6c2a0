use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use wordhoard_model::{Event, EventBody, RequestId, Seq};
use wordhoard_wal::{Position, Record, Wal};

use super::ReadError;
use crate::log_index::LogIndex;
use crate::record;

/// Bytes of the log that one step of a scan reads.
const SCAN_BYTES: usize = 1 << 20;
/// Scans of the log at the same time: each takes a thread and some steps of memory.
const CONCURRENT_SCANS: usize = 4;

/// Where a reader stands in the log, so that its next page goes on from there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogPlace(Option<Position>);

impl LogPlace {
    pub(crate) fn at(position: Option<Position>) -> Self {
        Self(position)
    }

    pub(super) fn is_known(self) -> bool {
        self.0.is_some()
    }
}

/// Reads single requests out of the log.
#[derive(Debug)]
pub(super) struct LogHistory {
    wal: Wal,
    index: Arc<LogIndex>,
    applied: watch::Receiver<Position>,
    scans: Arc<Semaphore>,
}

impl LogHistory {
    pub(super) fn new(wal: Wal, index: Arc<LogIndex>, applied: watch::Receiver<Position>) -> Self {
        Self { wal, index, applied, scans: Arc::new(Semaphore::new(CONCURRENT_SCANS)) }
    }

    /// Whether the request may begin in the log.
    pub(super) fn may_have(&self, id: RequestId) -> bool {
        !self.index.find(id).is_empty()
    }

    /// Before it SQL has everything.
    pub(super) fn applied(&self) -> Position {
        *self.applied.borrow()
    }

    /// Durable events of a request in the log, from `from` on, and where they stand; none where it has none.
    pub(super) async fn events(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
        place: &mut LogPlace,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let (applied, durable) = (self.applied(), self.wal.progress().durable);
        let stretches = if place.is_known() { Vec::new() } else { self.index.find(id) };
        // What began before the index did, and is not in SQL whole, goes on behind the applied position.
        let behind = (from > Seq::FIRST && applied < durable).then_some(applied);
        if !place.is_known() && stretches.is_empty() && behind.is_none() {
            return Ok(Vec::new());
        }
        let permit = Arc::clone(&self.scans).acquire_owned().await;
        let (wal, known) = (self.wal.clone(), place.0);
        let scan = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut beginning = known;
            for stretch in stretches {
                beginning = match beginning {
                    Some(found) => Some(found),
                    None => find_beginning(&wal, stretch.first, stretch.last, id)?,
                };
            }
            match beginning.or(behind) {
                Some(position) => scan(&wal, position, id, from, limit),
                None => Ok((Vec::new(), None)),
            }
        });
        let (events, end) = scan.await.map_err(|error| unavailable(&error))??;
        if !events.is_empty() {
            place.0 = end;
        }
        Ok(events)
    }
}

fn find_beginning(
    wal: &Wal,
    first: Position,
    last: Position,
    id: RequestId,
) -> Result<Option<Position>, ReadError> {
    let mut beginning = None;
    walk(wal, first, |found| {
        let ours =
            found.kind == record::KIND_REQUEST_CREATED && record::request_id(&found.payload) == Some(id);
        if ours {
            beginning = Some(found.position);
        }
        Ok(!ours && found.position < last)
    })?;
    Ok(beginning)
}

/// Events of one request, and where the search for more would go on. Stops at the limit, at the request's last event,
/// or at the durable end.
fn scan(
    wal: &Wal,
    position: Position,
    id: RequestId,
    from: Seq,
    limit: usize,
) -> Result<(Vec<Arc<Event>>, Option<Position>), ReadError> {
    let mut events = Vec::new();
    let (mut end, mut is_last) = (None, false);
    walk(wal, position, |found| {
        if record::request_id(&found.payload) != Some(id) {
            return Ok(true);
        }
        let decoded = record::decode(found.kind, found.version, &found.payload);
        let Some((_, decoded)) = decoded.map_err(|error| unavailable(&error))? else { return Ok(true) };
        for event in decoded.into_iter().filter(|event| event.seq >= from) {
            if events.len() >= limit {
                // The rest of the record is for the next page.
                end = Some(found.position);
                return Ok(false);
            }
            end = Some(found.position.plus(1));
            is_last = matches!(event.body, EventBody::RequestFinished(_));
            events.push(Arc::new(event));
        }
        Ok(!is_last && events.len() < limit)
    })?;
    Ok((events, end))
}

/// Visits records from `position` on, until `visit` has enough or the durable end is reached.
fn walk(
    wal: &Wal,
    position: Position,
    mut visit: impl FnMut(&Record) -> Result<bool, ReadError>,
) -> Result<(), ReadError> {
    let mut reader = match wal.reader(position) {
        Ok(reader) => reader,
        // Let go meanwhile, so SQL has it.
        Err(wordhoard_wal::ReadError::Released { .. }) => return Ok(()),
        Err(error) => return Err(unavailable(&error)),
    };
    loop {
        let records = match reader.next_batch(SCAN_BYTES) {
            Ok(records) => records,
            // The hole may be another request's; if it is ours, the caller finds the gap.
            Err(wordhoard_wal::ReadError::Damaged { .. }) => continue,
            Err(wordhoard_wal::ReadError::Released { .. }) => return Ok(()),
            Err(error) => return Err(unavailable(&error)),
        };
        if records.is_empty() {
            return Ok(());
        }
        for found in &records {
            if !visit(found)? {
                return Ok(());
            }
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Unavailable(error.to_string())
}
