//! A reader's place in a request: it follows the events from any `seq` on, wherever they are by now.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wordhoard_model::{AttemptSeq, AttemptStarted, Event, EventBody, Lane, RequestId, Seq};
use wordhoard_store::LogKey;

use crate::fleet::Fleet;
use crate::history::{History, LogPlace, ReadError};
use crate::hub::{Hub, LiveRequest, Visible};

/// Events that one read gives at most. A reader that has stopped holds one page of them, encoded, so it is small.
const PAGE_EVENTS: usize = 64;
/// Events of a page that is only passed over.
const SKIPPED_PAGE_EVENTS: usize = 4096;
/// How often SQL is asked again for a request that is running, but not on this server: at least this often, and at most
/// so often where it tells of changes.
const FOLLOW_INTERVAL: Range<Duration> = Duration::from_millis(50)..Duration::from_secs(1);

/// What asking for a place in a request's events gives.
#[derive(Debug)]
pub enum Subscribed {
    /// Events follow, or will.
    Following(Box<Subscription>),
    /// The request has ended and the place is behind its last event.
    PastTheEnd,
    /// The place is behind the newest event of a request that has more to come.
    BeyondTail {
        /// The newest place that can be asked for.
        newest: Option<Seq>,
    },
    /// There is no such request.
    NotFound,
}

/// Whose tokens an attempt's are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLabel {
    /// The lane that the attempt serves.
    pub lane: Lane,
    /// The model that it calls, as `provider:model`.
    pub model: Arc<str>,
}

impl AttemptLabel {
    pub(crate) fn of(started: &AttemptStarted) -> Self {
        Self { lane: started.lane, model: started.model.to_string().into() }
    }
}

/// Follows a request. Dropping it costs nothing; nothing waits for a reader.
#[derive(Debug)]
pub struct Subscription {
    id: RequestId,
    next: Seq,
    labels: Vec<AttemptLabel>,
    source: Source,
    history: Arc<History>,
    hub: Arc<Hub>,
    fleet: Arc<Fleet>,
    /// Through whose log the request came in, once SQL was asked.
    log: Option<LogKey>,
    /// Tells that SQL may have more.
    changes: watch::Receiver<u64>,
}

#[derive(Debug)]
enum Source {
    /// In memory: woken with every commit.
    Live(Arc<LiveRequest>, watch::Receiver<Visible>),
    /// Not in memory: in SQL, or in the log only.
    Stored(LogPlace),
    /// The last event was given.
    Ended,
}

impl Subscription {
    /// Finds the place behind `after`, or the first one.
    pub(crate) async fn open(
        history: Arc<History>,
        hub: Arc<Hub>,
        fleet: Arc<Fleet>,
        id: RequestId,
        after: Option<Seq>,
    ) -> Result<Subscribed, ReadError> {
        let next = after.map_or(Seq::FIRST, Seq::next);
        let changes = history.changes();
        // The watch is taken before anything is read, so nothing that comes in between is missed.
        if let Some(live) = hub.get(id) {
            let watch = live.follow();
            let visible = *watch.borrow();
            if next > visible.end {
                return Ok(Subscribed::BeyondTail { newest: visible.end.0.checked_sub(1).map(Seq) });
            }
            if next == visible.end && visible.finished {
                return Ok(Subscribed::PastTheEnd);
            }
            let labels = live.labels();
            let source = Source::Live(live, watch);
            return Ok(Subscribed::Following(Box::new(Self {
                id,
                next,
                labels,
                source,
                history,
                hub,
                fleet,
                log: None,
                changes,
            })));
        }
        Self::open_stored(history, hub, fleet, id, next).await
    }

    /// The event behind the newest that is visible now; none where it is not known here.
    pub fn visible_end(&self) -> Option<Seq> {
        match &self.source {
            Source::Live(_, watch) => Some(watch.borrow().end),
            Source::Stored(_) | Source::Ended => None,
        }
    }

    async fn open_stored(
        history: Arc<History>,
        hub: Arc<Hub>,
        fleet: Arc<Fleet>,
        id: RequestId,
        next: Seq,
    ) -> Result<Subscribed, ReadError> {
        let changes = history.changes();
        let (next_seq, labels, source) = (Seq::FIRST, Vec::new(), Source::Ended);
        let start = Self { id, next: next_seq, labels, source, history, hub, fleet, log: None, changes };
        let mut place = Box::new(start);
        let mut log_place = LogPlace::default();
        let mut found = false;
        // To know whose tokens follow, the attempts before them are read too.
        while place.next < next {
            let page = place
                .history
                .stored(
                    id,
                    place.next,
                    SKIPPED_PAGE_EVENTS.min((next.0 - place.next.0) as usize),
                    &mut log_place,
                )
                .await?;
            let Some(last) = page.last() else {
                let newest = place.next.0.checked_sub(1).map(Seq);
                if found && place.hub.is_whole() {
                    return Ok(Subscribed::BeyondTail { newest });
                }
                return place.not_found();
            };
            found = true;
            let ended = matches!(last.body, EventBody::RequestFinished(_));
            place.pass(&page);
            if ended {
                let past = place.next == next;
                let newest = place.next.0.checked_sub(1).map(Seq);
                return Ok(if past { Subscribed::PastTheEnd } else { Subscribed::BeyondTail { newest } });
            }
        }
        if !found && place.history.stored(id, Seq::FIRST, 1, &mut LogPlace::default()).await?.is_empty() {
            return place.not_found();
        }
        place.source = Source::Stored(log_place);
        Ok(Subscribed::Following(place))
    }

    fn not_found(&self) -> Result<Subscribed, ReadError> {
        if self.hub.is_whole() { Ok(Subscribed::NotFound) } else { Err(ReadError::Interrupted) }
    }

    /// The next events, at least one, as soon as there are any; `None` after the last one of the request.
    ///
    /// # Errors
    /// Where the events cannot be read, or the log has failed under the request. The reader may come back later.
    pub async fn next(&mut self) -> Result<Option<Vec<Arc<Event>>>, ReadError> {
        loop {
            let page = match &mut self.source {
                Source::Ended => return Ok(None),
                Source::Live(live, watch) => {
                    let visible = *watch.borrow_and_update();
                    if self.next < visible.end {
                        match live.tail(self.next, visible.end, PAGE_EVENTS) {
                            Some(page) => page,
                            None => {
                                let live = Arc::clone(live);
                                self.history.of_live(&live, self.next, visible.end, PAGE_EVENTS).await?
                            }
                        }
                    } else if visible.finished {
                        self.source = Source::Ended;
                        continue;
                    } else if visible.broken || watch.changed().await.is_err() {
                        return Err(ReadError::Interrupted);
                    } else {
                        continue;
                    }
                }
                Source::Stored(place) => {
                    self.changes.mark_unchanged();
                    let page = self.history.stored(self.id, self.next, PAGE_EVENTS, place).await?;
                    if page.is_empty() {
                        // Of a request that is gone nothing follows, ever.
                        self.history.ensure_not_pruned(self.id).await?;
                        self.ensure_somebody_runs_it().await?;
                        self.wait_for_more().await;
                        continue;
                    }
                    page
                }
            };
            self.pass(&page);
            return Ok(Some(page));
        }
    }

    /// Lane and model of an attempt whose start has been given, or came before the place where reading began.
    pub fn label(&self, attempt: AttemptSeq) -> Option<&AttemptLabel> {
        self.labels.get((attempt.0 as usize).checked_sub(1)?)
    }

    /// Events of the request's own end, which can be in SQL while another server runs it, or none does.
    async fn wait_for_more(&mut self) {
        let asked = Instant::now();
        // A change that came while SQL was being asked counts; where none is ever told, the longest wait is all.
        drop(tokio::time::timeout(FOLLOW_INTERVAL.end, self.changes.changed()).await);
        tokio::time::sleep(FOLLOW_INTERVAL.start.saturating_sub(asked.elapsed())).await;
        if let Some(live) = self.hub.get(self.id) {
            let watch = live.follow();
            self.source = Source::Live(live, watch);
        }
    }

    /// Nothing comes from a server that is gone, until somebody brings it back or retires it.
    async fn ensure_somebody_runs_it(&mut self) -> Result<(), ReadError> {
        if self.log.is_none() {
            self.log = self.history.log_of(self.id).await;
        }
        match self.log.and_then(|log| self.fleet.absent(log)) {
            // What is known is some seconds old, and it may just have come back.
            Some(server) if self.history.is_silent(server.log).await => {
                Err(ReadError::ServerAbsent(Box::new(server)))
            }
            _ => Ok(()),
        }
    }

    fn pass(&mut self, page: &[Arc<Event>]) {
        for event in page {
            if let EventBody::AttemptStarted(started) = &event.body
                && started.attempt_seq.0 as usize == self.labels.len() + 1
            {
                self.labels.push(AttemptLabel::of(started));
            }
            if let EventBody::RequestFinished(_) = &event.body {
                self.source = Source::Ended;
            }
            self.next = event.seq.next();
        }
    }
}
