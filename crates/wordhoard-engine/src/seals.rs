//! What models have to get back with the calls of tools that they made: found by the API key and the id of a call, for 7 days
//! (SPEC FD 12). What this run has seen is in memory; the rest stands in the records of the answers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use wordhoard_model::{EventBody, KeyId, Seal, Seq, Timestamp};
use wordhoard_providers::SealCollector;

use crate::engine::Inner;

/// How long a call finds its answer.
const KEPT_MS: i64 = 7 * 86_400_000;
/// How much of it is held in memory, in bytes of content.
const MAX_BYTES: usize = 64 << 20;
/// What a call takes in memory beside its seal, roughly.
const CALL_BYTES: usize = 256;
/// So many calls of a conversation are looked for in SQL, the newest first, and so long: without it a model goes on too.
const MAX_LOOKUPS: usize = 8;
const LOOKUP_PATIENCE: Duration = Duration::from_secs(1);
/// How long it is not looked again for what could not be looked for.
const PAUSE_MS: i64 = 60_000;

/// Who made a call, and its id.
type CallKey = (Option<KeyId>, String);

/// The calls that this run knows.
#[derive(Debug, Default)]
pub(crate) struct Seals(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// None inside where a call needs nothing, or nobody knows it.
    calls: HashMap<CallKey, (Option<Arc<Seal>>, Timestamp)>,
    /// The oldest first.
    order: VecDeque<CallKey>,
    bytes: usize,
}

impl Seals {
    /// Keeps what the calls of an answer need.
    pub(crate) fn keep(
        &self,
        key: Option<KeyId>,
        calls: impl IntoIterator<Item = (String, Option<Seal>)>,
        now: Timestamp,
    ) {
        let mut known = self.0.lock();
        for (id, seal) in calls {
            known.insert((key, id), seal.map(Arc::new), now);
        }
    }

    fn get(&self, call: &CallKey, now: Timestamp) -> Option<Option<Arc<Seal>>> {
        let known = self.0.lock();
        let (seal, at) = known.calls.get(call)?;
        (now.as_millis() - at.as_millis() <= KEPT_MS).then(|| seal.clone())
    }
}

impl Known {
    fn insert(&mut self, call: CallKey, seal: Option<Arc<Seal>>, now: Timestamp) {
        self.bytes += size_of_call(&call, seal.as_deref());
        match self.calls.insert(call.clone(), (seal, now)) {
            Some((before, _)) => self.bytes -= size_of_call(&call, before.as_deref()),
            None => self.order.push_back(call),
        }
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some((seal, _)) = self.calls.remove(&oldest) {
                self.bytes -= size_of_call(&oldest, seal.as_deref());
            }
        }
    }
}

fn size_of_call((_, id): &CallKey, seal: Option<&Seal>) -> usize {
    CALL_BYTES + 2 * id.len() + seal.map_or(0, Seal::size_bytes)
}

impl Inner {
    /// What the calls of a conversation need, as far as it is known or found in time. The ids are the newest first.
    pub(crate) async fn seals_of(&self, key: Option<KeyId>, ids: Vec<String>) -> HashMap<String, Arc<Seal>> {
        let now = self.clock.now();
        let (mut found, mut unknown) = (HashMap::new(), Vec::new());
        for id in ids {
            let call = (key, id);
            match self.seals.get(&call, now) {
                Some(seal) => found.extend(seal.map(|seal| (call.1, seal))),
                None => unknown.push(call.1),
            }
        }
        unknown.truncate(MAX_LOOKUPS);
        let look = async {
            for id in &unknown {
                if self.seals.get(&(key, id.clone()), now).is_none() && !self.look_up(key, id, now).await {
                    return;
                }
            }
        };
        if tokio::time::timeout(LOOKUP_PATIENCE, look).await.is_err() {
            tracing::debug!("not all calls of a conversation were found in time");
        }
        let soon_forgotten = Timestamp::from_millis(now.as_millis() - KEPT_MS + PAUSE_MS);
        for id in unknown {
            match self.seals.get(&(key, id.clone()), now) {
                Some(seal) => found.extend(seal.map(|seal| (id, seal))),
                None => self.seals.keep(key, [(id, None)], soon_forgotten),
            }
        }
        found
    }

    /// Looks for the answer that made a call, and keeps what all its calls need. Whether SQL could be asked.
    async fn look_up(&self, key: Option<KeyId>, id: &str, now: Timestamp) -> bool {
        let since = Timestamp::from_millis(now.as_millis() - KEPT_MS);
        let Ok(found) = self.store.answer_with_call(key, id.to_owned(), since).await else { return false };
        let mut calls = Vec::new();
        if let Some((request, attempt)) = found {
            let Ok(events) = self.store.events(request, Seq(0), usize::MAX >> 1).await else { return false };
            let mut collector = None;
            for event in &events {
                match &event.body {
                    EventBody::AttemptStarted(started) if started.attempt_seq == attempt => {
                        let name = &started.model.provider;
                        let dialect = self.providers.get(name).and_then(|provider| provider.dialect());
                        collector = dialect.map(|dialect| SealCollector::new(dialect, name.as_str()));
                    }
                    EventBody::Token(token) if token.attempt_seq == attempt => {
                        collector.iter_mut().for_each(|collector| collector.take(token.kind, &token.text));
                    }
                    _ => {}
                }
            }
            calls.extend(collector.into_iter().flat_map(SealCollector::finish));
        }
        if !calls.iter().any(|(known, _)| known == id) {
            calls.push((id.to_owned(), None));
        }
        self.seals.keep(key, calls, now);
        true
    }
}
