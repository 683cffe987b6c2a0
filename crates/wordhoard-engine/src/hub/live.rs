use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wordhoard_model::{
    AttemptSeq, Event, EventBody, Failure, FailureClass, Outcome, Prompt, RequestCreated, RequestFinished,
    RequestId, RequestState, Seq, Violation,
};
use wordhoard_wal::{MAX_RECORD_SIZE_BYTES, Position};

use super::Journal;
use super::tail::Tail;
use crate::admission::OwnedKey;
use crate::record::{self, Encoded};
use crate::settings::Durability;
use crate::subscription::AttemptLabel;

/// Events between two marks of the sparse index from `seq` to position.
const INDEX_EVERY: u64 = 256;

/// A request in memory: its state, its newest events, and how far it is visible.
#[derive(Debug)]
pub(crate) struct LiveRequest {
    id: RequestId,
    created: Arc<RequestCreated>,
    journal: Arc<Journal>,
    inner: Mutex<Inner>,
    visible: watch::Sender<Visible>,
    /// Events below this are durable. Behind `visible` only where events are shown before they are.
    recorded_end: AtomicU64,
    /// How often somebody began to follow the request.
    looks: AtomicU64,
    cancelled: CancellationToken,
    broken: CancellationToken,
}

/// How far a request may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visible {
    /// Events below this are visible.
    pub(crate) end: Seq,
    /// The last of them is the request's last.
    pub(crate) finished: bool,
    /// The log could not go on; what is not visible by now never will be.
    pub(crate) broken: bool,
}

#[derive(Debug)]
struct Inner {
    /// The fold over all events, visible or not.
    state: RequestState,
    /// The newest events, without a gap up to `state.next_seq()`. Never fewer than those that are not visible.
    tail: Tail,
    /// Every so many events, where in the log one stands; ascending in both.
    index: Vec<(Seq, Position)>,
}

/// Why an event could not be recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// The log cannot take it.
    #[error(transparent)]
    Log(#[from] wordhoard_wal::AppendError),
    /// It is larger than a record may be; nothing was recorded.
    #[error("an event of {size_bytes} bytes is too large to be recorded")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// It cannot follow the events before it, or not be encoded: a fault of ours.
    #[error("an event of the engine's own making is not possible: {0}")]
    Impossible(String),
}

impl From<Violation> for AppendError {
    fn from(violation: Violation) -> Self {
        Self::Impossible(violation.to_string())
    }
}

impl LiveRequest {
    /// A new request; its first event is in the log's queue when this returns.
    pub(crate) fn create(
        id: RequestId,
        created: RequestCreated,
        journal: &Arc<Journal>,
    ) -> Result<Arc<Self>, AppendError> {
        let created = Arc::new(created);
        let body = EventBody::RequestCreated(Arc::clone(&created));
        let event = Event { seq: Seq::FIRST, at: journal.now(), body };
        let state = RequestState::begin(&event)?;
        let live = Arc::new(Self::with_state(id, created, state, Seq::FIRST, journal));
        let events = vec![event];
        let record = live.encode(&events)?;
        live.write(&mut live.inner.lock(), events, &record)?;
        Ok(live)
    }

    /// A request from before the start of this server, all of whose events are durable.
    pub(crate) fn resume(
        id: RequestId,
        created: Arc<RequestCreated>,
        state: RequestState,
        journal: &Arc<Journal>,
    ) -> Arc<Self> {
        let visible_end = state.next_seq();
        Arc::new(Self::with_state(id, created, state, visible_end, journal))
    }

    fn with_state(
        id: RequestId,
        created: Arc<RequestCreated>,
        state: RequestState,
        visible_end: Seq,
        journal: &Arc<Journal>,
    ) -> Self {
        let visible = Visible { end: visible_end, finished: false, broken: false };
        Self {
            id,
            created,
            journal: Arc::clone(journal),
            inner: Mutex::new(Inner { state, tail: journal.tail(), index: Vec::new() }),
            visible: watch::Sender::new(visible),
            recorded_end: AtomicU64::new(visible_end.0),
            looks: AtomicU64::new(0),
            cancelled: CancellationToken::new(),
            broken: CancellationToken::new(),
        }
    }

    /// Records the event that `make` gives for the state as it is. It is in the log's queue when this returns, and
    /// visible later.
    pub(crate) fn append(
        self: &Arc<Self>,
        make: impl FnOnce(&RequestState) -> EventBody,
    ) -> Result<Arc<Event>, AppendError> {
        let events = self.append_all(|state| vec![make(state)])?;
        events.into_iter().next().ok_or_else(|| AppendError::Impossible("no event was made".to_owned()))
    }

    /// As [`LiveRequest::append`], for events that make one record, as [`record::encode`] says.
    pub(crate) fn append_all(
        self: &Arc<Self>,
        make: impl FnOnce(&RequestState) -> Vec<EventBody>,
    ) -> Result<Vec<Arc<Event>>, AppendError> {
        let mut inner = self.inner.lock();
        let (first, at) = (inner.state.next_seq(), self.journal.now());
        let bodies = (first.0..).zip(make(&inner.state));
        let events: Vec<_> = bodies.map(|(seq, body)| Event { seq: Seq(seq), at, body }).collect();
        let record = self.encode(&events)?;
        events.iter().try_for_each(|event| inner.state.apply(event))?;
        self.write(&mut inner, events, &record)
    }

    fn encode(&self, events: &[Event]) -> Result<Encoded, AppendError> {
        let record =
            record::encode(self.id, events).map_err(|error| AppendError::Impossible(error.to_string()))?;
        if record.payload.len() > MAX_RECORD_SIZE_BYTES {
            return Err(AppendError::TooLarge { size_bytes: record.payload.len() });
        }
        Ok(record)
    }

    /// The one place where events, whose `seq` is taken already, get their place in the log; the caller holds the
    /// lock, so that both orders agree. If the log refuses, the state is ahead of it: the request is over then, and
    /// recovery makes its state anew from what is durable.
    fn write(
        self: &Arc<Self>,
        inner: &mut Inner,
        events: Vec<Event>,
        record: &Encoded,
    ) -> Result<Vec<Arc<Event>>, AppendError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Vec::new()) };
        let (first, end) = (first.seq, last.seq.next());
        let is_last = matches!(last.body, EventBody::RequestFinished(_));
        let position = self.journal.append(record, self, events.len() as u64, end, is_last)?;
        if inner.index.last().is_none_or(|(marked, _)| first.0 - marked.0 >= INDEX_EVERY) {
            inner.index.push((first, position));
        }
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        inner.tail.extend(&events);
        if self.journal.durability == Durability::Relaxed {
            self.show(end, is_last);
        }
        // Readers take what is let go from SQL or from the log.
        inner.tail.trim(self.recorded_end());
        Ok(events)
    }

    fn recorded_end(&self) -> Seq {
        Seq(self.recorded_end.load(Ordering::Acquire))
    }

    /// Lets all events go that are durable: the request has ended, and others need the memory.
    pub(super) fn forget_events(&self) {
        self.inner.lock().tail.forget(self.recorded_end());
    }

    /// Events below `end` are durable by the rule in force, so memory is no longer the only place that has them.
    pub(super) fn note_recorded(&self, end: Seq) {
        self.recorded_end.fetch_max(end.0, Ordering::AcqRel);
    }

    pub(super) fn show(&self, end: Seq, is_last: bool) {
        self.visible.send_if_modified(|visible| {
            if end <= visible.end {
                return false;
            }
            visible.end = end;
            visible.finished = is_last;
            true
        });
    }

    pub(crate) fn break_off(&self) {
        self.visible.send_modify(|visible| visible.broken = true);
        self.broken.cancel();
    }

    /// Ends what is open as failed, by a fault of ours. Where even that cannot be recorded, readers are broken off.
    pub(crate) fn fail_open_parts(self: &Arc<Self>) {
        let failure =
            Failure::new(FailureClass::Internal, "the server failed while the answer was under way");
        let open: Vec<_> = self.state().open_attempts().map(|attempt| attempt.started.attempt_seq).collect();
        let ends = open.into_iter().map(|attempt_seq| {
            self.append(|state| {
                EventBody::AttemptFinished(Box::new(state.ending(
                    attempt_seq,
                    Outcome::Failed,
                    Some(failure.clone()),
                )))
            })
        });
        let ended = ends.collect::<Result<Vec<_>, _>>();
        let closed =
            ended.and_then(|_| self.append(|state| EventBody::RequestFinished(Box::new(state.closing()))));
        if let Err(error) = closed {
            tracing::error!(request_id = %self.id, %error, "a request could not be ended; recovery does it at the next start");
            self.break_off();
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.cancel();
    }
}

/// Reading.
impl LiveRequest {
    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    pub(crate) fn created(&self) -> &Arc<RequestCreated> {
        &self.created
    }

    pub(crate) fn prompt(&self) -> &Prompt {
        &self.created.prompt
    }

    pub(crate) fn idempotency(&self) -> Option<OwnedKey> {
        OwnedKey::of(&self.created)
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// What is visible, and when that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Visible> {
        self.visible.subscribe()
    }

    /// As [`LiveRequest::watch`], for a reader of the answer.
    pub(crate) fn follow(&self) -> watch::Receiver<Visible> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.visible.subscribe()
    }

    /// Whether somebody follows the request.
    pub(crate) fn is_followed(&self) -> bool {
        self.visible.receiver_count() > 0
    }

    /// Ends when nobody follows the request.
    pub(crate) async fn until_deserted(&self) {
        self.visible.closed().await;
    }

    /// How often somebody began to follow the request.
    pub(crate) fn times_looked_at(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Ends when a caller wants the request to stop.
    pub(crate) fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Ends when the log cannot record the request any more.
    pub(crate) fn broken(&self) -> &CancellationToken {
        &self.broken
    }

    /// The state as the engine knows it, which may be ahead of what is visible.
    pub(crate) fn state(&self) -> RequestState {
        self.inner.lock().state.clone()
    }

    /// The end of the request, once it is visible.
    pub(crate) fn visible_end(&self) -> Option<RequestFinished> {
        let finished = self.visible.borrow().finished;
        let inner = self.inner.lock();
        inner.state.finished().filter(|_| finished).map(|(_, finished)| finished.clone())
    }

    /// Lane and model of each attempt that has started.
    pub(crate) fn labels(&self) -> Vec<AttemptLabel> {
        self.inner.lock().state.attempts().iter().map(|attempt| AttemptLabel::of(&attempt.started)).collect()
    }

    /// How many tokens an attempt has.
    pub(crate) fn token_count(&self, attempt: AttemptSeq) -> u64 {
        self.inner.lock().state.attempt(attempt).map_or(0, |attempt| attempt.next_token_index.0)
    }

    /// Events `from..end`, at most `limit` of them, if memory still has the first of them. The caller asks for visible ones.
    pub(crate) fn tail(&self, from: Seq, end: Seq, limit: usize) -> Option<Vec<Arc<Event>>> {
        self.inner.lock().tail.page(from, end, limit)
    }

    /// A position in the log at or before which event `seq` stands, if it was written since this server started.
    pub(crate) fn position_before(&self, seq: Seq) -> Option<Position> {
        let inner = self.inner.lock();
        let behind = inner.index.partition_point(|(indexed, _)| *indexed <= seq);
        inner.index.get(behind.checked_sub(1)?).map(|(_, position)| *position)
    }
}
