use std::collections::BTreeMap;
use std::sync::Arc;

use wordhoard_model::ProviderName;
use wordhoard_providers::Provider;

/// The providers that this server can call, by name.
#[derive(Clone, Debug, Default)]
pub struct ProviderSet(BTreeMap<ProviderName, Arc<dyn Provider>>);

impl ProviderSet {
    /// The provider of that name.
    pub fn get(&self, name: &ProviderName) -> Option<&Arc<dyn Provider>> {
        self.0.get(name)
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
