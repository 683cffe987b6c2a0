//! Whether the key of a prompt allows it.

use wordhoard_model::{KeyId, LaneSpec, ModelRef, Prompt};

use super::{AdmitError, NewRequest};
use crate::accounts::{Estimate, Reservation, Standing, Unrecorded};
use crate::engine::Inner;
use crate::hub::LiveRequest;

impl Inner {
    /// Reserves what the prompt may use, where it comes with a key.
    pub(super) fn reserve(&self, new: &NewRequest) -> Result<Option<(Reservation, Standing)>, AdmitError> {
        let Some(key) = new.key else { return Ok(None) };
        let limits = self.accounts.limits(key);
        for LaneSpec { model, .. } in &new.lanes {
            if !limits.allows(model) {
                return Err(AdmitError::ModelNotAllowed { model: model.clone() });
            }
            if limits.has_budget() && !self.has_price(model) {
                return Err(AdmitError::NoPrice { model: model.clone() });
            }
        }
        if !self.accounts.knows(&limits) {
            return Err(AdmitError::UsageUnknown);
        }
        let estimate = self.estimate(&new.prompt, &new.lanes);
        self.accounts.reserve(key, estimate, self.clock.now()).map(Some).map_err(AdmitError::OverLimit)
    }

    /// Whether requests of the key may ask the model: it is allowed and, where money counts, has a price.
    pub(crate) fn key_allows(&self, key: Option<KeyId>, model: &ModelRef) -> bool {
        let Some(key) = key else { return true };
        let limits = self.accounts.limits(key);
        limits.allows(model) && (!limits.has_budget() || self.has_price(model))
    }

    fn has_price(&self, model: &ModelRef) -> bool {
        let provider = self.providers.get(&model.provider);
        provider.is_some_and(|provider| provider.capabilities(&model.model).price.is_some())
    }

    /// The same for a call of which nothing is recorded, and which costs nothing. It counts by the minute while this server runs.
    pub(crate) fn reserve_unrecorded(
        &self,
        key: Option<KeyId>,
        model: &ModelRef,
    ) -> Result<Option<Unrecorded>, AdmitError> {
        let Some(key) = key else { return Ok(None) };
        let limits = self.accounts.limits(key);
        if !limits.allows(model) {
            return Err(AdmitError::ModelNotAllowed { model: model.clone() });
        }
        if !self.accounts.knows(&limits) {
            return Err(AdmitError::UsageUnknown);
        }
        let reserved = self.accounts.reserve(key, Estimate::default(), self.clock.now());
        reserved.map(|(reservation, _)| Some(Unrecorded(reservation))).map_err(AdmitError::OverLimit)
    }

    /// Reserves for a request of an earlier run that goes on.
    pub(crate) fn take_up(&self, live: &LiveRequest) -> Option<Reservation> {
        let created = live.created();
        let key: KeyId = created.key?;
        let estimate = self.estimate(&created.prompt, &created.lanes);
        Some(self.accounts.take_up(key, estimate, live.state().created_at()))
    }

    fn estimate(&self, prompt: &Prompt, lanes: &[LaneSpec]) -> Estimate {
        lanes.iter().fold(Estimate::default(), |estimate, LaneSpec { model, .. }| {
            let provider = self.providers.get(&model.provider);
            let capabilities = provider.map(|provider| provider.capabilities(&model.model));
            estimate.with_lane(prompt, capabilities.as_deref())
        })
    }
}
