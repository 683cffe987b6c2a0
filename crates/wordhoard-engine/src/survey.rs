//! One pass over a part of the log: which requests are open at its end, and where requests begin.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use wordhoard_model::{Event, EventBody, RequestId};
use wordhoard_wal::{Position, ReadError, Reader, Record, Wal};

use crate::admission::OwnedKey;
use crate::log_index::LogIndex;
use crate::record;

/// Bytes of the log that one step reads.
const STEP_BYTES: usize = 1 << 20;
/// How often a long pass tells how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// What a pass over the log has found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The requests that are open at its end, each with a position at or before its first record in this part.
    pub(crate) open: HashMap<RequestId, Position>,
    /// The keys against doubles of the requests that begin in it, in the order of the log.
    pub(crate) keys: Vec<(Position, RequestId, OwnedKey)>,
}

/// Finds the requests that are open at `end`. `open` are those that are known to be open at `from`; those that begin
/// behind it are found, if they begin below `boundary`.
///
/// Of most records it looks at the kind and the id only, so that hours of tokens take seconds.
pub(crate) fn open_requests(
    wal: &Wal,
    from: Position,
    end: Position,
    boundary: Position,
    open: impl IntoIterator<Item = RequestId>,
    index: &LogIndex,
) -> Result<Survey, String> {
    let open = open.into_iter().map(|id| (id, from)).collect();
    let mut survey = Survey { open, ..Survey::default() };
    // The pass of the start tells the index what began before. Later passes would tell it twice, and out of order.
    let is_first = index.is_empty();
    walk(wal, from, end, |found| {
        let Some(id) = record::request_id(&found.payload) else { return };
        if is_first {
            let events = record::event_count(found.kind, found.version, &found.payload);
            index.events.note(found.position, events);
        }
        match found.kind {
            record::KIND_REQUEST_CREATED if found.position < boundary => {
                if is_first {
                    index.note(id, found.position);
                }
                if let Entry::Vacant(place) = survey.open.entry(id) {
                    place.insert(found.position);
                }
                survey.keys.extend(key(found).map(|key| (found.position, id, key)));
            }
            record::KIND_REQUEST_FINISHED => drop(survey.open.remove(&id)),
            _ => {}
        }
    })?;
    Ok(survey)
}

fn key(created: &Record) -> Option<OwnedKey> {
    match record::decode(created.kind, created.version, &created.payload) {
        Ok(Some((_, events))) => events.iter().find_map(|event| match &event.body {
            EventBody::RequestCreated(created) => OwnedKey::of(created),
            _ => None,
        }),
        _ => None,
    }
}

/// Gives the events of some requests, in the order of the log. Records that do not decode are passed over; whoever
/// folds the events notices that one is missing.
pub(crate) fn events(
    wal: &Wal,
    from: Position,
    end: Position,
    mut wanted: impl FnMut(RequestId) -> bool,
    mut take: impl FnMut(RequestId, Event),
) -> Result<(), String> {
    walk(wal, from, end, |found| {
        if record::request_id(&found.payload).is_some_and(&mut wanted)
            && let Ok(Some((id, events))) = record::decode(found.kind, found.version, &found.payload)
        {
            events.into_iter().for_each(|event| take(id, event));
        }
    })
}

fn walk(wal: &Wal, from: Position, end: Position, mut visit: impl FnMut(&Record)) -> Result<(), String> {
    let mut told = Instant::now();
    let mut reader = wal.reader(from).map_err(|error| error.to_string())?;
    while reader.position() < end {
        for found in step(&mut reader)? {
            if found.position < end {
                visit(&found);
            }
        }
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            tracing::info!(at = reader.position().0, from = from.0, to = end.0, "reading the log");
        }
    }
    Ok(())
}

fn step(reader: &mut Reader) -> Result<Vec<Record>, String> {
    match reader.next_batch(STEP_BYTES) {
        Ok(records) if records.is_empty() => Err("the log ends before its durable end".into()),
        Ok(records) => Ok(records),
        // A hole: the reader stands behind it now. The requests that it belongs to are found to have a gap.
        Err(ReadError::Damaged { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}
