//! The keys of one provider: which one is used, which one has to rest, which one is no good.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use wordhoard_model::ProviderName;

use crate::ApiKey;

/// How long a key rests after a 429 that does not say how long, the first time; then twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the place of the key and the model: providers limit each model for itself.
    rests: HashMap<(usize, String), Rest>,
    refused: HashMap<usize, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    times: u32,
}

/// Which key a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The key in that place.
    Key(usize),
    /// All of them rest, the shortest for so long.
    Rest(Duration),
}

impl KeyRing {
    pub(crate) fn new(provider: ProviderName, keys: Vec<NamedKey>) -> Self {
        Self { provider, keys, state: Mutex::default() }
    }

    /// The first key that neither rests for this model nor was refused; if all were refused, the first that does not
    /// rest: it may be good again.
    pub(crate) fn pick(&self, model: &str) -> Pick {
        let (state, now) = (self.state(), Instant::now());
        let rest_of = |place: usize| {
            let rest = state.rests.get(&(place, model.to_owned()))?;
            Some(rest.until.saturating_duration_since(now)).filter(|left| *left > Duration::ZERO)
        };
        let is_aside = |place: usize| state.refused.get(&place).is_some_and(|until| *until > now);
        let places = || 0..self.keys.len().max(1);
        let rested = || places().filter(|place| rest_of(*place).is_none());
        match rested().find(|place| !is_aside(*place)).or_else(|| rested().next()) {
            Some(place) => Pick::Key(place),
            None => Pick::Rest(places().filter_map(rest_of).min().unwrap_or(FIRST_REST)),
        }
    }

    /// The provider wants this key to rest. One that is alone rests only for as long as the provider says: without a
    /// word from it, when to try again is the caller's decision.
    pub(crate) fn rest(&self, place: usize, model: &str, asked: Option<Duration>) {
        if asked.is_none() && self.keys.len() < 2 {
            return;
        }
        let (mut state, now) = (self.state(), Instant::now());
        if state.rests.len() >= MAX_RESTS {
            state.rests.retain(|_, rest| rest.until > now);
        }
        if state.rests.len() >= MAX_RESTS {
            return;
        }
        let rest = state.rests.entry((place, model.to_owned())).or_insert(Rest { until: now, times: 0 });
        let own = FIRST_REST.saturating_mul(2_u32.saturating_pow(rest.times)).min(LONGEST_REST);
        *rest = Rest { until: now + asked.unwrap_or(own), times: rest.times.saturating_add(1) };
    }

    /// The provider does not accept this key: an alarm for the operator, once until it is accepted again.
    pub(crate) fn refuse(&self, place: usize) {
        let until = Instant::now() + SET_ASIDE;
        let is_news = self.state().refused.insert(place, until).is_none();
        if is_news {
            let key = self.keys.get(place).map_or("none", |named| named.source.as_str());
            tracing::error!(
                provider = self.provider.as_str(),
                key,
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

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: usize) -> KeyRing {
        let key =
            |place| NamedKey { key: ApiKey::new(format!("key-{place}")), source: format!("KEY_{place}") };
        KeyRing::new(ProviderName::new("p").unwrap(), (0..count).map(key).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_has_to_rest_gives_way_for_that_model_and_comes_back() {
        let ring = ring(2);
        assert_eq!(ring.pick("m"), Pick::Key(0));
        ring.rest(0, "m", Some(Duration::from_secs(5)));
        assert_eq!((ring.pick("m"), ring.pick("other")), (Pick::Key(1), Pick::Key(0)));
        ring.rest(1, "m", None);
        assert_eq!(ring.pick("m"), Pick::Rest(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(ring.pick("m"), Pick::Key(1));
        ring.rest(1, "m", None);
        assert_eq!(ring.pick("m"), Pick::Rest(Duration::from_secs(2)), "the second time twice as long");
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(ring.pick("m"), Pick::Key(0));
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

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_alone_rests_only_when_it_is_told_for_how_long() {
        let ring = ring(0);
        ring.rest(0, "m", None);
        assert_eq!(ring.pick("m"), Pick::Key(0));
        ring.rest(0, "m", Some(Duration::from_secs(2)));
        assert_eq!(ring.pick("m"), Pick::Rest(Duration::from_secs(2)));
    }
}
