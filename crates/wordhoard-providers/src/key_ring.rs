//! The keys of one provider: which one is used, which one has to rest, which one is no good.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use wordhoard_model::{Failure, ProviderName};

use crate::ApiKey;

/// How long a key rests after a 429 that does not say how long, the first time; then twice as long each time (SPEC FD 2). The same
/// holds of a model that is overloaded.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long a key without credit rests before one call tries it.
const CREDIT_REST: Duration = Duration::from_secs(300);
/// How long that one call is alone.
const CREDIT_TRIAL: Duration = Duration::from_secs(30);
/// How long a key that was refused is passed over while there are others.
const SET_ASIDE: Duration = Duration::from_secs(300);
/// Names of models come from callers; of more than these the rests are forgotten.
const MAX_RESTS: usize = 1_000;

/// A key, and where it came from: that may be told, the key may not.
#[derive(Clone, Debug)]
pub struct NamedKey {
    /// The key.
    pub key: ApiKey,
    /// The environment variable or the file that it was in.
    pub source: String,
}

/// The keys of one provider, in the order in which they are tried. A provider without any has one place for none.
#[derive(Debug)]
pub(crate) struct KeyRing {
    provider: ProviderName,
    keys: Vec<NamedKey>,
    /// Whether it stands for a client's own credential, which is no concern of the operator's.
    is_clients: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the place of the key and the model: providers limit each model for itself.
    rests: HashMap<(usize, String), Rest>,
    /// Models that rest for all keys.
    overloaded: HashMap<String, Rest>,
    /// Keys without credit.
    without_credit: HashMap<usize, Rest>,
    refused: HashMap<usize, Instant>,
}

#[derive(Clone, Debug)]
struct Rest {
    until: Instant,
    times: u32,
    /// What the provider said.
    failure: Failure,
}

/// Which key a call takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The key in that place.
    Key(usize),
    /// All of them rest.
    Resting(Resting),
}

/// A model is not to be called for a while, because its provider said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// How long, at least.
    pub left: Duration,
    /// What the provider said.
    pub failure: Failure,
}

impl Resting {
    /// The provider's failure, with the time that is left.
    pub fn into_failure(self) -> Failure {
        let left_ms = u64::try_from(self.left.as_millis()).unwrap_or(u64::MAX);
        Failure { retry_after_ms: Some(left_ms), ..self.failure }
    }
}

impl Rest {
    fn left(&self, now: Instant) -> Option<Resting> {
        let left = self.until.saturating_duration_since(now);
        (left > Duration::ZERO).then(|| Resting { left, failure: self.failure.clone() })
    }

    /// The next rest after a failure: as long as the provider asks, else twice as long as the last one.
    fn next(last: Option<&Self>, failure: Failure, now: Instant) -> Self {
        let times = last.map_or(0, |last| last.times);
        let own = FIRST_REST.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_REST);
        let lasts = failure.retry_after_ms.map_or(own, Duration::from_millis);
        Self { until: now + lasts, times: times.saturating_add(1), failure }
    }
}

impl KeyRing {
    pub(crate) fn new(provider: ProviderName, keys: Vec<NamedKey>) -> Self {
        Self { provider, keys, is_clients: false, state: Mutex::default() }
    }

    /// The one place of a client's own credential.
    pub(crate) fn of_client(provider: ProviderName) -> Self {
        Self { is_clients: true, ..Self::new(provider, Vec::new()) }
    }

    /// The first key that neither rests for this model nor was refused; if all were refused, the first that does not rest: it
    /// may be good again.
    pub(crate) fn pick(&self, model: &str) -> Pick {
        let (mut state, now) = (self.state(), Instant::now());
        match self.look(&state, model, now) {
            Pick::Key(place) => {
                // The one call that tries a key which had no credit is alone for a while.
                if let Some(rest) = state.without_credit.get_mut(&place) {
                    rest.until = now + CREDIT_TRIAL;
                }
                Pick::Key(place)
            }
            resting => resting,
        }
    }

    /// Whether the model rests for all keys. Changes nothing.
    pub(crate) fn resting(&self, model: &str) -> Option<Resting> {
        match self.look(&self.state(), model, Instant::now()) {
            Pick::Key(_) => None,
            Pick::Resting(resting) => Some(resting),
        }
    }

    fn look(&self, state: &State, model: &str, now: Instant) -> Pick {
        if let Some(resting) = state.overloaded.get(model).and_then(|rest| rest.left(now)) {
            return Pick::Resting(resting);
        }
        let rest_of = |place: usize| {
            let of_credit = state.without_credit.get(&place).and_then(|rest| rest.left(now));
            let of_model = || state.rests.get(&(place, model.to_owned()))?.left(now);
            of_credit.or_else(of_model)
        };
        let is_aside = |place: usize| state.refused.get(&place).is_some_and(|until| *until > now);
        let places = || 0..self.keys.len().max(1);
        let rested = || places().filter(|place| rest_of(*place).is_none());
        if let Some(place) = rested().find(|place| !is_aside(*place)).or_else(|| rested().next()) {
            return Pick::Key(place);
        }
        let shortest = places().filter_map(rest_of).min_by_key(|resting| resting.left);
        shortest.map_or(Pick::Key(0), Pick::Resting)
    }

    /// The provider limits the rate of this key: it rests for this model.
    pub(crate) fn rest(&self, place: usize, model: &str, failure: Failure) {
        let (mut state, now) = (self.state(), Instant::now());
        make_room(&mut state.rests, now);
        let name = (place, model.to_owned());
        let rest = Rest::next(state.rests.get(&name), failure, now);
        state.rests.insert(name, rest);
    }

    /// The model is overloaded: it rests for all keys.
    pub(crate) fn rest_model(&self, model: &str, failure: Failure) {
        let (mut state, now) = (self.state(), Instant::now());
        make_room(&mut state.overloaded, now);
        let rest = Rest::next(state.overloaded.get(model), failure, now);
        state.overloaded.insert(model.to_owned(), rest);
    }

    /// The account of this key has no credit: it rests for all models. An alarm for the operator, once until it has some again.
    pub(crate) fn rest_for_credit(&self, place: usize, failure: Failure) {
        let rest = Rest { until: Instant::now() + CREDIT_REST, times: 1, failure };
        let is_news = self.state().without_credit.insert(place, rest).is_none();
        if is_news && !self.is_clients {
            tracing::error!(
                provider = self.provider.as_str(),
                key = self.source_of(place),
                "the provider says that the account of this key has no credit left"
            );
        }
    }

    /// The provider does not accept this key: an alarm for the operator, once until it is accepted again.
    pub(crate) fn refuse(&self, place: usize) {
        let until = Instant::now() + SET_ASIDE;
        let is_news = self.state().refused.insert(place, until).is_none();
        if is_news && !self.is_clients {
            tracing::error!(
                provider = self.provider.as_str(),
                key = self.source_of(place),
                "the provider does not accept its key: it may be revoked; others are used as far as there are any"
            );
        }
    }

    /// The provider has accepted this key for this model.
    pub(crate) fn accept(&self, place: usize, model: &str) {
        let mut state = self.state();
        if !state.rests.is_empty() {
            state.rests.remove(&(place, model.to_owned()));
        }
        if !state.overloaded.is_empty() {
            state.overloaded.remove(model);
        }
        if state.without_credit.remove(&place).is_some() && !self.is_clients {
            let (provider, key) = (self.provider.as_str(), self.source_of(place));
            tracing::info!(provider, key, "the account of this key has credit again");
        }
        if state.refused.remove(&place).is_some()
            && let Some(named) = self.keys.get(place)
        {
            tracing::info!(
                provider = self.provider.as_str(),
                key = named.source,
                "the key is accepted again"
            );
        }
    }

    /// How many keys the provider did not accept when they were used last.
    pub(crate) fn refused_count(&self) -> usize {
        self.state().refused.len()
    }

    /// How many keys have no credit left.
    pub(crate) fn without_credit_count(&self) -> usize {
        self.state().without_credit.len()
    }

    fn source_of(&self, place: usize) -> &str {
        self.keys.get(place).map_or("none", |named| named.source.as_str())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the rests that are over, and where too many are left, all of them.
fn make_room<K: Eq + std::hash::Hash>(rests: &mut HashMap<K, Rest>, now: Instant) {
    if rests.len() >= MAX_RESTS {
        rests.retain(|_, rest| rest.until > now);
    }
    if rests.len() >= MAX_RESTS {
        rests.clear();
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use wordhoard_model::FailureClass;

    use super::*;

    fn ring(count: usize) -> KeyRing {
        let key =
            |place| NamedKey { key: ApiKey::new(format!("key-{place}")), source: format!("KEY_{place}") };
        KeyRing::new(ProviderName::new("p").unwrap(), (0..count).map(key).collect())
    }

    fn asks(wait: Option<Duration>) -> Failure {
        let retry_after_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap());
        Failure { retry_after_ms, ..Failure::new(FailureClass::RateLimited, "slow down") }
    }

    fn left(ring: &KeyRing, model: &str) -> Option<Duration> {
        ring.resting(model).map(|resting| resting.left)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn limited_key_gives_way_for_that_model_and_comes_back() {
        let ring = ring(2);
        assert_eq!(ring.pick("m"), Pick::Key(0));
        ring.rest(0, "m", asks(Some(5 * SECOND)));
        assert_eq!((ring.pick("m"), ring.pick("other")), (Pick::Key(1), Pick::Key(0)));
        ring.rest(1, "m", asks(None));
        assert_eq!(left(&ring, "m"), Some(SECOND));
        tokio::time::advance(SECOND).await;
        assert_eq!(ring.pick("m"), Pick::Key(1));
        ring.rest(1, "m", asks(None));
        assert_eq!(left(&ring, "m"), Some(2 * SECOND), "the second time twice as long");
        tokio::time::advance(4 * SECOND).await;
        assert_eq!(ring.pick("m"), Pick::Key(0));
    }

    #[tokio::test(start_paused = true)]
    async fn overloaded_model_rests_for_all_keys() {
        let ring = ring(2);
        ring.rest_model("m", asks(None));
        let resting = ring.resting("m").unwrap();
        assert_eq!((resting.left, resting.failure.message.as_str()), (SECOND, "slow down"));
        assert_eq!(ring.pick("other"), Pick::Key(0));
        ring.accept(1, "m");
        assert_eq!(ring.pick("m"), Pick::Key(0));
    }

    #[tokio::test(start_paused = true)]
    async fn key_without_credit_rests_for_all_models_then_one_call_tries() {
        let ring = ring(1);
        ring.rest_for_credit(0, asks(None));
        assert_eq!((left(&ring, "a"), left(&ring, "b")), (Some(CREDIT_REST), Some(CREDIT_REST)));
        tokio::time::advance(CREDIT_REST).await;
        assert_eq!(ring.pick("a"), Pick::Key(0));
        assert_eq!(left(&ring, "b"), Some(CREDIT_TRIAL), "one call tries");
        ring.accept(0, "a");
        assert_eq!((left(&ring, "b"), ring.without_credit_count()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_is_passed_over_while_there_is_another() {
        let ring = ring(2);
        ring.refuse(0);
        assert_eq!((ring.pick("m"), ring.refused_count()), (Pick::Key(1), 1));
        ring.refuse(1);
        assert_eq!(ring.pick("m"), Pick::Key(0), "if none is good, the first may be good again");
        ring.accept(0, "m");
        assert_eq!((ring.pick("m"), ring.refused_count()), (Pick::Key(0), 1));
    }
}
