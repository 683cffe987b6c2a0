use std::collections::BTreeMap;
use std::sync::Arc;

use wordhoard_model::{LaneSpec, ProviderName, RequestCreated};
use wordhoard_providers::Provider;

/// The providers that this server can call, by name.
#[derive(Clone, Debug, Default)]
pub struct ProviderSet(BTreeMap<ProviderName, Arc<dyn Provider>>);

impl ProviderSet {
    /// The provider of that name.
    pub fn get(&self, name: &ProviderName) -> Option<&Arc<dyn Provider>> {
        self.0.get(name)
    }

    /// Whether a request of an earlier run can be asked again: not where a provider is asked with the credential of its client,
    /// which is recorded nowhere.
    pub(crate) fn can_be_asked_again(&self, created: &RequestCreated) -> bool {
        let needs_its_client =
            |lane: &LaneSpec| self.get(&lane.model.provider).is_some_and(|one| one.takes_client_credential());
        !created.lanes.iter().any(needs_its_client)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ProviderName> {
        self.0.keys()
    }
}

impl FromIterator<Arc<dyn Provider>> for ProviderSet {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Provider>>>(providers: I) -> Self {
        Self(providers.into_iter().map(|provider| (provider.name().clone(), provider)).collect())
    }
}
