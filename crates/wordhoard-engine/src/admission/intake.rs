use std::sync::Arc;
use std::time::Duration;

use wordhoard_model::{EventBody, Idempotency, KeyId, LaneSpec, RequestCreated, RequestId, Seq, Timestamp};
use wordhoard_wal::State;

use super::{AdmitError, Admitted, Claim, NewRequest, Place};
use crate::accounts::Standing;
use crate::engine::Inner;
use crate::history::LogPlace;
use crate::hub::{AppendError, LiveRequest};
use crate::orphans::EarlierQuestion;
use crate::request::{Going, Tickets, pool_of};
use crate::status::Storage;
use crate::tasks::TaskKind;
use crate::trace::RequestTrace;

/// How long a prompt may wait for its record to be durable.
const RECORD_PATIENCE: Duration = Duration::from_secs(15);
/// How long SQL may take to say whether a key is known. Past it the server's own claim counts (SPEC FD 1).
const KEY_PATIENCE: Duration = Duration::from_secs(1);

/// What the log has reserved ahead, and for each request that runs (DESIGN, WAL).
const RESERVE_BYTES: u64 = 8 << 20;
const RESERVE_BYTES_PER_REQUEST: u64 = 64 << 10;

impl Inner {
    /// Takes a prompt in. Runs as a task of its own: a caller that goes away in the middle must not leave a request
    /// that is recorded but never run.
    pub(crate) async fn admit(self: Arc<Self>, new: NewRequest) -> Result<Admitted, AdmitError> {
        // Entered before the gate is looked at, so that whoever closes the gate can wait for those inside.
        let running = self.running.enter();
        // A key that was accepted before has its answer, whatever the state of the server.
        let claim = match &new.idempotency {
            None => None,
            Some(given) => match self.claim(new.key, given).await? {
                Ok(claim) => Some(claim),
                Err(known) => return self.replay(known, new).await,
            },
        };
        let place = self.take_room()?;
        let (reservation, standing) = self.reserve(&new)?.unzip();
        let tickets = Tickets::queue(&self.gates, (pool_of(&new.prompt), new.key), &new.lanes)
            .map_err(|(provider, full)| AdmitError::Overloaded { provider, retry_after: full.retry_after })?;
        let created = RequestCreated {
            prompt: new.prompt,
            lanes: new.lanes.clone(),
            idempotency: new.idempotency,
            fallback: new.fallback,
            key: new.key,
        };
        let going = Going { tickets, reservation, credential: new.credential, _place: place };
        let request_id = RequestId::generate(self.clock.now());
        let live = LiveRequest::create(request_id, created, &self.journal).map_err(refused)?;
        self.hub.insert(Arc::clone(&live));
        let mut visible = live.watch();
        // Its providers are called while its record is on the way to the disk: what comes of it is queued behind that record, so nothing
        // is shown, or durable, before it is. If the log fails, the request is broken off with all others; should recording take too
        // long, it runs on, as after a crash.
        self.start(live, running, going);
        let seen = visible.wait_for(|visible| visible.end.0 > 0 || visible.broken);
        match tokio::time::timeout(RECORD_PATIENCE, seen).await {
            Ok(Ok(visible)) if visible.end.0 > 0 => {}
            Ok(_) => return Err(AdmitError::Storage("the log failed".into())),
            Err(_) => return Err(AdmitError::Storage("recording takes too long".into())),
        }
        if let Some(claim) = claim {
            claim.accept(request_id);
        }
        let standing = standing.unwrap_or_default();
        Ok(Admitted { request_id, lanes: new.lanes, replayed: false, standing, shown_items: 0 })
    }

    /// The call that asked the same, where its client had to leave it.
    pub(crate) fn adopt(&self, new: &NewRequest) -> Option<Admitted> {
        let call = self.orphans.adopt(new, self.clock.now())?;
        Some(adopted(&call, 0))
    }

    /// As [`Inner::adopt`], for a client that shows what of the answer it has. What is no beginning of it is another conversation.
    pub(crate) async fn adopt_earlier(
        &self,
        new: &NewRequest,
        earlier: &EarlierQuestion,
    ) -> Option<Admitted> {
        let call = self.orphans.of_earlier(new, earlier)?;
        let answer = self.transcript(call.id()).await.ok()??;
        if !earlier.begins(&answer) {
            return None;
        }
        let call = self.orphans.adopt_earlier(new, earlier, self.clock.now())?;
        Some(adopted(&call, earlier.shown_items))
    }

    /// The place of one more request, where it can be recorded and run.
    fn take_room(&self) -> Result<Place, AdmitError> {
        match self.storage() {
            Storage::Latched => return Err(AdmitError::Storage("the log cannot be written".into())),
            Storage::Full => return Err(AdmitError::Storage("the disk of the log is full".into())),
            Storage::Open | Storage::Closed => {}
        }
        if !self.accepting.is_open() || self.draining.is_open() || self.fleet.is_retired() {
            return Err(AdmitError::NotAccepting);
        }
        let place = self.places.take(self.settings.max_running_requests);
        let place = place.map_err(|running| AdmitError::TooManyRunning { running })?;
        let open = u64::try_from(self.places.taken()).unwrap_or(u64::MAX);
        // Where that cannot be had, the next prompt is refused, and what runs comes to its end.
        self.wal.reserve(RESERVE_BYTES.saturating_add(open.saturating_mul(RESERVE_BYTES_PER_REQUEST)));
        Ok(place)
    }

    pub(crate) fn storage(&self) -> Storage {
        match self.wal.progress().state {
            State::Latched(_) => return Storage::Latched,
            State::Closed => return Storage::Closed,
            State::Open => {}
        }
        let usage = self.wal.usage();
        let over_limit = self.settings.wal_limit_bytes.is_some_and(|limit| usage.size_bytes >= limit);
        // Without enough reserved ahead the disk (or a quota, which free bytes do not show) is at its end.
        if over_limit || !usage.reserved || usage.free_bytes < self.settings.disk_reserve_bytes {
            return Storage::Full;
        }
        Storage::Open
    }

    /// Claims a key, here and in SQL; or tells the request that it has brought about.
    async fn claim(
        &self,
        owner: Option<KeyId>,
        given: &Idempotency,
    ) -> Result<Result<Claim, RequestId>, AdmitError> {
        let claim = match self.keys.claim(owner, given)? {
            Ok(claim) => claim,
            Err(known) => return Ok(Err(known)),
        };
        let window_ms = i64::try_from(self.settings.idempotency_window.as_millis()).unwrap_or(i64::MAX);
        let not_before = Timestamp::from_millis(self.clock.now().as_millis().saturating_sub(window_ms));
        let found = self.store.find_idempotent(owner, given.key.clone(), not_before);
        let found = match tokio::time::timeout(KEY_PATIENCE, found).await {
            Ok(Ok(found)) => found,
            // What this server accepted and SQL does not have yet is known here.
            Ok(Err(_)) | Err(_) => None,
        };
        match found {
            None => Ok(Ok(claim)),
            Some(found) if found.body_sha256 == given.body_sha256 => Ok(Err(found.request_id)),
            Some(_) => Err(AdmitError::KeyReused),
        }
    }

    /// The answer that the first request under the key got. Its lanes may differ from what the same body would
    /// select today.
    async fn replay(&self, request_id: RequestId, new: NewRequest) -> Result<Admitted, AdmitError> {
        if let Some(live) = self.hub.get(request_id) {
            let lanes = live.created().lanes.clone();
            return Ok(replayed(request_id, lanes, 0));
        }
        let first = self.history.stored(request_id, Seq::FIRST, 1, &mut LogPlace::default()).await;
        let first = first.map_err(|error| AdmitError::KeysUnavailable(error.to_string()))?;
        let lanes = match first.first().map(|event| &event.body) {
            Some(EventBody::RequestCreated(created)) => created.lanes.clone(),
            _ => new.lanes,
        };
        Ok(replayed(request_id, lanes, 0))
    }

    /// Runs a request to its end.
    pub(crate) fn start(
        self: &Arc<Self>,
        live: Arc<LiveRequest>,
        running: super::RunningGuard,
        going: Going,
    ) {
        let trace = RequestTrace::start(live.id(), live.created().lanes.len());
        let request = crate::request::Run { engine: Arc::clone(self), live, trace, going };
        self.tasks.spawn(TaskKind::Request, async move {
            let _running = running;
            request.run().await;
        });
    }
}

fn refused(error: AppendError) -> AdmitError {
    AdmitError::Storage(error.to_string())
}

fn adopted(call: &LiveRequest, shown_items: usize) -> Admitted {
    let request_id = call.id();
    tracing::info!(%request_id, shown_items, "a client asks again for an answer that it had to leave; it gets that one");
    replayed(request_id, call.created().lanes.clone(), shown_items)
}

fn replayed(request_id: RequestId, lanes: Vec<LaneSpec>, shown_items: usize) -> Admitted {
    Admitted { request_id, lanes, replayed: true, standing: Standing::default(), shown_items }
}
