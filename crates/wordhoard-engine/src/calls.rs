//! Who may call a provider, and when: what stands between the lanes of all requests and one provider.
//!
//! Nothing here calls anyone. A lane passes its provider's [`Turnstile`]: it takes its turn ([`permits`]), is let
//! through or not ([`breaker`]), and may try again or not ([`budget`]).

mod breaker;
mod budget;
mod permits;
mod status_writer;
mod turnstile;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use breaker::Verdict;
pub(crate) use permits::{Permit, QueueFull, Ticket};
pub(crate) use status_writer::{resume as resume_breakers, run as write_breakers};
pub(crate) use turnstile::{Passage, Turnstile};
use wordhoard_model::ProviderName;

use crate::metrics::Metrics;
use crate::settings::CallSettings;

/// The turnstiles of all providers.
#[derive(Debug)]
pub(crate) struct Turnstiles {
    by_name: BTreeMap<ProviderName, Arc<Turnstile>>,
    /// Told whenever a breaker has changed.
    changed: Arc<tokio::sync::Notify>,
}

impl Turnstiles {
    pub(crate) fn new<'a>(
        names: impl Iterator<Item = &'a ProviderName>,
        settings: &CallSettings,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let changed = Arc::new(tokio::sync::Notify::new());
        let turnstile = |name: &ProviderName| {
            let turnstile = Turnstile::new(name.clone(), settings, Arc::clone(metrics), Arc::clone(&changed));
            (name.clone(), Arc::new(turnstile))
        };
        Self { by_name: names.map(turnstile).collect(), changed }
    }

    /// The turnstile of a provider of this server.
    pub(crate) fn get(&self, provider: &ProviderName) -> Option<&Arc<Turnstile>> {
        self.by_name.get(provider)
    }

    /// Ends when a breaker has changed since the last time.
    async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProviderName, &Arc<Turnstile>)> {
        self.by_name.iter()
    }
}
