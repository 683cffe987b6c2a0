//! Who may call a provider, and when: what stands between the lanes of all requests and one provider.
//!
//! Nothing here calls anyone. A lane passes its provider's [`ProviderGate`]: it takes its turn ([`slots`]), is let through or
//! not ([`breakers`]), and may try again or not ([`budget`]).

mod breaker;
mod breakers;
mod budget;
mod gate;
mod slots;
mod status_writer;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use breaker::Caller;
pub(crate) use breakers::{Closed, Verdicts};
pub(crate) use gate::{Load, Permit, Pool, ProviderGate};
pub(crate) use slots::{QueueFull, Ticket};
pub(crate) use status_writer::{resume as resume_breakers, run as write_breakers};
use wordhoard_model::ProviderName;

use crate::metrics::Metrics;
use crate::settings::CallSettings;

/// The gates of all providers.
#[derive(Debug)]
pub(crate) struct ProviderGates {
    by_name: BTreeMap<ProviderName, Arc<ProviderGate>>,
    /// Notified whenever a breaker has changed.
    changed: Arc<tokio::sync::Notify>,
}

impl ProviderGates {
    pub(crate) fn new<'a>(
        names: impl Iterator<Item = &'a ProviderName>,
        settings: &CallSettings,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let changed = Arc::new(tokio::sync::Notify::new());
        let gate = |name: &ProviderName| {
            let gate = ProviderGate::new(name.clone(), settings, Arc::clone(metrics), Arc::clone(&changed));
            (name.clone(), Arc::new(gate))
        };
        Self { by_name: names.map(gate).collect(), changed }
    }

    /// The gate of a provider of this server.
    pub(crate) fn get(&self, provider: &ProviderName) -> Option<&Arc<ProviderGate>> {
        self.by_name.get(provider)
    }

    /// Ends when a breaker has changed since the last time.
    async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProviderName, &Arc<ProviderGate>)> {
        self.by_name.iter()
    }
}
