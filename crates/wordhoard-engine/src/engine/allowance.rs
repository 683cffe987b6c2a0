//! What keys may use, as the server asks for it.

use std::collections::HashMap;
use std::sync::Arc;

use wordhoard_model::{KeyId, KeyLimits, ModelRef};

use super::Engine;
use crate::accounts::KeyUsage;

impl Engine {
    /// Takes over what the keys may use. A key that is not among them is not limited.
    pub fn set_key_limits(&self, limits: HashMap<KeyId, KeyLimits>) {
        self.inner.accounts.set_limits(limits);
    }

    /// What a key may use.
    pub fn key_limits(&self, key: KeyId) -> Arc<KeyLimits> {
        self.inner.accounts.limits(key)
    }

    /// Whether the key, where there is one, may ask the model: it is allowed and, where money counts, has a price.
    pub fn key_allows(&self, key: Option<KeyId>, model: &ModelRef) -> bool {
        self.inner.key_allows(key, model)
    }

    /// What a key uses, at this server and, as of a few seconds ago, at others.
    pub fn key_usage(&self, key: KeyId) -> KeyUsage {
        self.inner.accounts.usage(key, self.inner.clock.now())
    }
}
