//! After a crash, or after the log had latched: closes the attempts that are open, and goes on with their requests or
//! closes them.
//!
//! What is open is told by SQL, as far as the log is applied, and by the log behind that. So recovery does not wait
//! until SQL has everything. Without SQL it takes up the requests that the log knows whole; the others follow when
//! SQL is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use wordhoard_model::{
    AttemptSeq, Event, EventBody, Lane, Outcome, RequestCreated, RequestId, RequestState, Seq, Violation,
};
use wordhoard_store::{LogKey, Store};
use wordhoard_wal::{Position, Wal};

use crate::admission::Keys;
use crate::consistency::LogPlaces;
use crate::hub::{AppendError, Hub, Journal, LiveRequest};
use crate::providers::ProviderSet;
use crate::replay::FENCE;
use crate::survey::{self, Survey};
use crate::{consistency, request};

/// Interruptions of one lane after which it is closed instead of tried again: a prompt that kills the server shall
/// not do so for ever.
const MAX_INTERRUPTIONS_PER_LANE: usize = 5;
const PAGE_EVENTS: usize = 4096;

/// Why requests could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// SQL could not be read.
    #[error(transparent)]
    Store(#[from] wordhoard_store::Error),
    /// The log latched (again) before all was recovered.
    #[error("the log cannot be written")]
    Latched,
    /// The log could not be read.
    #[error("the log cannot be read: {0}")]
    Log(String),
    /// The log could not take the events that recovery makes.
    #[error("{0}")]
    Append(String),
}

impl From<AppendError> for RecoveryError {
    fn from(error: AppendError) -> Self {
        Self::Append(error.to_string())
    }
}

/// What recovery found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Requests that go on.
    pub(crate) resumed: Vec<Arc<LiveRequest>>,
    /// Requests that were closed as interrupted.
    pub(crate) closed: Vec<Arc<LiveRequest>>,
    /// How many requests of retired servers were closed. They count by their rows in SQL, as those of all other servers.
    pub(crate) closed_for_retired: usize,
    /// Requests whose events do not make sense and cannot be put back. They are closed as interrupted where their
    /// first event is there; what is missing is for the consistency check to tell.
    pub(crate) damaged: usize,
}

impl Recovered {
    fn note_closed(&mut self, live: Arc<LiveRequest>, stories: &Stories) {
        if stories.of_retired.contains(&live.id()) {
            self.closed_for_retired += 1;
        } else {
            self.closed.push(live);
        }
    }
}

/// What recovery works on.
pub(crate) struct Ground<'a> {
    /// SQL, where it can be asked.
    pub(crate) store: Option<&'a dyn Store>,
    pub(crate) wal: &'a Wal,
    pub(crate) hub: &'a Hub,
    pub(crate) providers: &'a ProviderSet,
    pub(crate) journal: &'a Arc<Journal>,
    /// Learns the keys of requests that SQL does not have yet.
    pub(crate) keys: &'a Keys,
    /// Logs that this data directory had before; their requests are ours, too.
    pub(crate) previous_logs: &'a [LogKey],
    /// Logs that were ended with their servers.
    pub(crate) retired_logs: &'a [RetiredLog],
    pub(crate) log_places: &'a LogPlaces,
    /// SQL has everything below this; above it, it may have more or less.
    pub(crate) applied: Position,
    /// Requests that begin at or behind this began in this run of the server, and are none of recovery's.
    pub(crate) boundary: Position,
}

/// The log of a server that was retired.
pub(crate) struct RetiredLog {
    pub(crate) log: LogKey,
    /// Whether it falls to this server to close its requests. Otherwise nobody here may touch them.
    pub(crate) is_closed_here: bool,
}

type Found = (Arc<RequestCreated>, RequestState);

pub(crate) async fn recover(
    ground: &Ground<'_>,
    resume_interrupted: bool,
) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    let mut stories = open_stories(ground).await?;
    if let Some(store) = ground.store.filter(|_| !stories.damaged.is_empty()) {
        // Perhaps the log still has what SQL has lost.
        let repaired = consistency::repair(store, ground.log_places, stories.damaged.clone()).await?;
        if repaired > 0 {
            tracing::warn!(
                repaired_events = repaired,
                "open requests had lost events; they were put back from the log"
            );
            stories = open_stories(ground).await?;
        }
    }
    recovered.damaged = stories.damaged.len();
    for (id, (created, state)) in std::mem::take(&mut stories.whole) {
        let live = take_up(ground, id, created, state)?;
        // What was open at a moment of the past must not call providers again today.
        let can_be_asked = ground.providers.can_be_asked_again(live.created());
        if resume_interrupted
            && can_be_asked
            && !stories.of_the_past.contains(&id)
            && !stories.of_retired.contains(&id)
            && may_go_on(&live.state())
        {
            recovered.resumed.push(live);
        } else {
            live.append(|state| EventBody::RequestFinished(Box::new(state.closing())))?;
            recovered.note_closed(live, &stories);
        }
    }
    for id in stories.damaged.clone() {
        let Some(store) = ground.store else { break };
        if let Some((created, state)) = salvage(store, id).await? {
            let live = take_up(ground, id, created, state)?;
            live.append(|state| EventBody::RequestFinished(Box::new(state.closing())))?;
            recovered.note_closed(live, &stories);
        }
    }
    Ok(recovered)
}

fn take_up(
    ground: &Ground<'_>,
    id: RequestId,
    created: Arc<RequestCreated>,
    state: RequestState,
) -> Result<Arc<LiveRequest>, RecoveryError> {
    let live = LiveRequest::resume(id, created, state, ground.journal);
    ground.hub.insert(Arc::clone(&live));
    close_open_attempts(&live)?;
    Ok(live)
}

/// What can be made of a damaged request, so that it gets an end.
async fn salvage(store: &dyn Store, id: RequestId) -> Result<Option<Found>, RecoveryError> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let from = events.last().map_or(Seq::FIRST, |last| last.seq.next());
        let page = store.events(id, from, PAGE_EVENTS).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let created = match events.first().map(|first| &first.body) {
        Some(EventBody::RequestCreated(created)) => Arc::clone(created),
        _ => return Ok(None),
    };
    Ok(RequestState::salvage(&events).map(|state| (created, state)))
}

/// The open requests with their state, in the order in which they were accepted.
async fn open_stories(ground: &Ground<'_>) -> Result<Stories, RecoveryError> {
    let mut stories = Stories::default();
    // The order matters: what SQL says is open, then what is in memory, then the end of the log. A request that is
    // open by the first and the last and was not in memory in between is not running.
    let mut open_in_sql = Vec::new();
    if let Some(store) = ground.store {
        for retired in ground.retired_logs.iter().filter(|retired| retired.is_closed_here) {
            let open = store.open_requests(retired.log).await?;
            stories.of_retired.extend(&open);
            open_in_sql.extend(open);
        }
        let is_retired = |log| ground.retired_logs.iter().any(|retired| retired.log == log);
        let own = LogKey(ground.wal.log_id().0);
        for log in ground.previous_logs.iter().chain([&own]).filter(|log| !is_retired(**log)) {
            let open = store.open_requests(*log).await?;
            if store.applied(*log).await? >= FENCE {
                stories.of_the_past.extend(&open);
            }
            open_in_sql.extend(open);
        }
    }
    let in_memory: HashSet<_> = ground.hub.all().iter().map(|live| live.id()).collect();
    let end = ground.wal.progress().durable;
    let survey = survey_log(ground, open_in_sql, end).await?;
    for (position, id, key) in survey.keys {
        if ground.keys.note_accepted(&key, id) {
            ground.hub.keep_key(position, id, key);
        }
    }
    let open: HashMap<_, _> = survey.open.into_iter().filter(|(id, _)| !in_memory.contains(id)).collect();
    if let Some(store) = ground.store {
        for id in open.keys() {
            stories.load(store, *id).await?;
        }
    }
    let Some(from) = open.values().min().copied() else { return Ok(stories) };
    let wal = ground.wal.clone();
    let fold = tokio::task::spawn_blocking(move || {
        let wanted = |id| open.contains_key(&id);
        survey::events(&wal, from, end, wanted, |id, event| stories.follow(id, &event)).map(|()| stories)
    });
    let mut stories =
        fold.await.unwrap_or_else(|_| Err("reading failed".into())).map_err(RecoveryError::Log)?;
    stories.whole.retain(|_, (_, state)| state.finished().is_none());
    Ok(stories)
}

async fn survey_log(
    ground: &Ground<'_>,
    open: Vec<RequestId>,
    end: Position,
) -> Result<Survey, RecoveryError> {
    let (wal, index) = (ground.wal.clone(), Arc::clone(ground.journal.index()));
    let (from, boundary) = (ground.applied, ground.boundary);
    let survey =
        tokio::task::spawn_blocking(move || survey::open_requests(&wal, from, end, boundary, open, &index));
    survey.await.unwrap_or_else(|_| Err("reading failed".into())).map_err(RecoveryError::Log)
}

/// Requests as their events are found, in SQL first and then in the log.
#[derive(Debug, Default)]
struct Stories {
    whole: BTreeMap<RequestId, Found>,
    damaged: BTreeSet<RequestId>,
    /// Those of logs that a restore to an earlier moment has ended.
    of_the_past: BTreeSet<RequestId>,
    /// Those of servers that were retired.
    of_retired: BTreeSet<RequestId>,
}

impl Stories {
    async fn load(&mut self, store: &dyn Store, id: RequestId) -> Result<(), RecoveryError> {
        loop {
            let from = self.whole.get(&id).map_or(Seq::FIRST, |(_, state)| state.next_seq());
            let page = store.events(id, from, PAGE_EVENTS).await?;
            if page.is_empty() || self.damaged.contains(&id) {
                return Ok(());
            }
            page.iter().for_each(|event| self.follow(id, event));
        }
    }

    /// Takes the next event of a request in; what SQL had already is passed over.
    fn follow(&mut self, id: RequestId, event: &Event) {
        let followed = match (self.whole.get_mut(&id), &event.body) {
            _ if self.damaged.contains(&id) => return,
            (Some((_, state)), _) if event.seq < state.next_seq() => return,
            (Some((_, state)), _) => state.apply(event),
            (None, EventBody::RequestCreated(created)) => RequestState::begin(event)
                .map(|state| drop(self.whole.insert(id, (Arc::clone(created), state)))),
            (None, other) => Err(Violation::NotCreated(other.name())),
        };
        if let Err(violation) = followed {
            tracing::error!(request_id = %id, %violation, "an open request is damaged and cannot go on");
            self.whole.remove(&id);
            self.damaged.insert(id);
        }
    }
}

/// Ends the attempts that run as stopped by the server.
pub(crate) fn close_open_attempts(live: &Arc<LiveRequest>) -> Result<(), AppendError> {
    let open: Vec<_> = live.state().open_attempts().map(|attempt| attempt.started.attempt_seq).collect();
    for attempt_seq in open {
        let failure = Some(request::server_stopped());
        live.append(|state| {
            EventBody::AttemptFinished(Box::new(state.ending(attempt_seq, Outcome::Interrupted, failure)))
        })?;
    }
    Ok(())
}

fn may_go_on(state: &RequestState) -> bool {
    let lanes = (0..state.lanes().len()).map(|lane| Lane(lane as u8));
    let mut due = lanes.filter(|lane| request::may_be_due(state.lane(*lane))).peekable();
    due.peek().is_some() && due.all(|lane| interruptions(state, lane) < MAX_INTERRUPTIONS_PER_LANE)
}

/// How often the lane was interrupted since it last came further than ever before. Whoever makes progress goes on, however often
/// it is interrupted; who brings the server down at the same place does not.
fn interruptions(state: &RequestState, lane: Lane) -> usize {
    let (mut furthest, mut count) = (0, 0);
    // Where in the answer each attempt began.
    let mut beginnings: HashMap<AttemptSeq, u64> = HashMap::new();
    for attempt in state.attempts().iter().filter(|attempt| attempt.started.lane == lane) {
        let began = attempt.started.continues.map_or(0, |from| {
            beginnings.get(&from.attempt_seq).map_or(0, |began| began + from.token_index.0 + 1)
        });
        beginnings.insert(attempt.started.attempt_seq, began);
        let reached = began + attempt.next_token_index.0;
        if reached > furthest {
            (furthest, count) = (reached, 0);
        }
        let end = attempt.finished.as_ref();
        count += usize::from(end.is_some_and(|(_, end)| end.outcome == Outcome::Interrupted));
    }
    count
}
