//! Events that memory does not have (any more): from SQL, or from the log where SQL does not have them yet or cannot
//! be asked.

mod log;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::LogHistory;
pub(crate) use log::LogPlace;
use parking_lot::Mutex;
use tokio::sync::watch;
use wordhoard_model::{Event, RequestId, RequestStatus, Seq};
use wordhoard_store::{LogKey, ServerSeen, Store};
use wordhoard_wal::{Position, Wal};

use crate::clock::Clock;
use crate::fleet::{GONE_AFTER, ServerReport};
use crate::hub::LiveRequest;
use crate::log_index::LogIndex;

/// How long SQL may take to give a page.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// No server prunes what is younger, by whatever clock: requests are kept for a day at least.
const NEVER_PRUNED: Duration = Duration::from_secs(23 * 60 * 60);
/// How long it may take where the log may have the events, too.
const LOG_INSTEAD_AFTER: Duration = Duration::from_millis(500);

/// Why events could not be given.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database cannot be asked now.
    #[error("the history cannot be read now: {0}")]
    Unavailable(String),
    /// The log failed while the request ran; the reader shall come back.
    #[error("recording was interrupted; read again from the last event")]
    Interrupted,
    /// It was older than requests are kept.
    #[error("the request was older than requests are kept, and was removed")]
    Pruned,
    /// Somebody had it erased.
    #[error("the request was erased")]
    Erased,
    /// The server that runs the request has not been heard of.
    #[error(
        "server {} ({}), which runs the request, is {} and was last heard of {} s ago: the request goes on when it is back, or ends \
         when it is retired; read again from the last event",
        .0.log, .0.profile.address, .0.state.as_str(), .0.silent_for.as_secs()
    )]
    ServerAbsent(Box<ServerReport>),
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
    log: LogHistory,
    sql_away: Arc<SqlAway>,
    clock: Arc<dyn Clock>,
    /// What was erased in this run: the log may be asked before SQL, and still has it.
    erased: Mutex<HashSet<RequestId>>,
}

/// Whether SQL is known to give no answers. While it is, the log is asked first: a database that hangs takes its time
/// for each page otherwise.
#[derive(Debug, Default)]
pub(crate) struct SqlAway(AtomicBool);

impl SqlAway {
    pub(crate) fn set(&self, away: bool) {
        self.0.store(away, Ordering::Release);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl History {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        wal: Wal,
        index: Arc<LogIndex>,
        applied: watch::Receiver<Position>,
        sql_away: Arc<SqlAway>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let log = LogHistory::new(wal, index, applied);
        Self { store, log, sql_away, clock, erased: Mutex::default() }
    }

    /// A request was erased in SQL.
    pub(crate) fn note_erased(&self, id: RequestId) {
        self.erased.lock().insert(id);
    }

    /// Changes whenever SQL may have more.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }

    /// Durable events of a request that is not in memory, from `from` on. Empty where there are none.
    pub(crate) async fn stored(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
        place: &mut LogPlace,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let found = self.find_stored(id, from, limit, place).await;
        if matches!(found, Err(ReadError::Gap { .. })) {
            self.ensure_not_pruned(id).await?;
        }
        found
    }

    /// Says so where the request was pruned, or is being pruned. Whoever finds nothing, a gap, or no end, asks it. It
    /// asks SQL for a request that is old enough, and nothing for all others.
    pub(crate) async fn ensure_not_pruned(&self, id: RequestId) -> Result<(), ReadError> {
        if self.clock.now().millis_since(id.accepted_at()) < NEVER_PRUNED.as_millis() as u64 {
            return Ok(());
        }
        match tokio::time::timeout(READ_PATIENCE, self.is_pruned(id)).await {
            Ok(Ok(false)) => Ok(()),
            Ok(Ok(true)) => Err(ReadError::Pruned),
            Ok(Err(error)) => Err(ReadError::Unavailable(error.to_string())),
            Err(_) => Err(ReadError::Unavailable("SQL does not answer".into())),
        }
    }

    /// The log through which a request came in; none where SQL does not say.
    pub(crate) async fn log_of(&self, id: RequestId) -> Option<LogKey> {
        let summary = tokio::time::timeout(READ_PATIENCE, self.store.summary(id)).await;
        summary.ok()?.ok()?.map(|summary| summary.log)
    }

    /// Whether the server of this log has not spoken lately; so, too, where SQL does not say.
    pub(crate) async fn is_silent(&self, log: LogKey) -> bool {
        let Ok(Ok(servers)) = tokio::time::timeout(READ_PATIENCE, self.store.servers()).await else {
            return true;
        };
        let has_spoken = |server: &ServerSeen| server.log == log && server.silent_for < GONE_AFTER;
        !servers.iter().any(|server| has_spoken(server) && server.departure.is_none())
    }

    /// What runs is never pruned, however old it is.
    async fn is_pruned(&self, id: RequestId) -> Result<bool, wordhoard_store::Error> {
        match self.store.pruned_before().await? {
            Some(before) if id.accepted_at() < before => {
                let kept = self.store.summary(id).await?;
                Ok(kept.is_none_or(|summary| summary.status != RequestStatus::Running))
            }
            _ => Ok(false),
        }
    }

    async fn find_stored(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
        place: &mut LogPlace,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        if self.erased.lock().contains(&id) {
            return Err(ReadError::Erased);
        }
        let log_first = place.is_known() || self.sql_away.get();
        self.read(id, from, limit, place, log_first).await
    }

    /// From SQL or the log, whichever has them. While one is asked after the other, events may be applied and let go by the
    /// log, so that neither has said them: then SQL has the last word.
    async fn read(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
        place: &mut LogPlace,
        log_first: bool,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let applied_before = self.log.applied();
        let asked = if log_first { None } else { self.in_sql_soon(id, from, limit).await };
        match asked {
            Some(Ok(events)) if !events.is_empty() => return Ok(events),
            // The log still has what was said.
            Some(Err(ReadError::Erased)) => return Err(ReadError::Erased),
            _ => {}
        }
        let place_before = *place;
        let logged = self.log.events(id, from, limit, place).await?;
        let gap = match without_gap(id, from, logged) {
            Ok(events) if !events.is_empty() => return Ok(events),
            found => found.err(),
        };
        *place = place_before;
        let stored = match asked {
            Some(Err(error)) => return Err(error),
            Some(Ok(_)) if gap.is_none() && self.log.applied() == applied_before => Vec::new(),
            _ => self.in_sql(id, from, limit).await?,
        };
        match gap {
            Some(gap) if stored.is_empty() => Err(gap),
            _ => Ok(stored),
        }
    }

    /// What SQL says; nothing where it takes its time and the log may say it sooner.
    async fn in_sql_soon(
        &self,
        id: RequestId,
        from: Seq,
        limit: usize,
    ) -> Option<Result<Vec<Arc<Event>>, ReadError>> {
        let asked = self.in_sql(id, from, limit);
        if !self.log.may_have(id) {
            return Some(asked.await);
        }
        tokio::time::timeout(LOG_INSTEAD_AFTER, asked).await.ok()
    }

    async fn in_sql(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Arc<Event>>, ReadError> {
        let events = match tokio::time::timeout(READ_PATIENCE, self.store.events(id, from, limit)).await {
            Ok(Err(wordhoard_store::Error::Erased)) => return Err(ReadError::Erased),
            Ok(events) => events.map_err(|error| ReadError::Unavailable(error.to_string()))?,
            Err(_) => {
                self.sql_away.set(true);
                return Err(ReadError::Unavailable("SQL does not answer".into()));
            }
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
        let mut place = LogPlace::at(live.position_before(from));
        let log_first = self.sql_away.get();
        let stored = self.read(live.id(), from, limit, &mut place, log_first).await?;
        if stored.is_empty() { Err(ReadError::Gap { id: live.id(), missing: from }) } else { Ok(stored) }
    }
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
