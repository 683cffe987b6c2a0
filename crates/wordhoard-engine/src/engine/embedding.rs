//! Embeddings: a call through the same turnstile as every other, of which nothing is recorded, for nothing of it is lost
//! when it is made again.

use std::sync::Arc;

use serde_json::{Map, Value};
use wordhoard_model::{Failure, FailureClass, KeyId, ModelRef};

use super::Engine;
use crate::admission::AdmitError;
use crate::calls::Verdict;
use crate::request::readiness::{cooling_down, overloaded, provider_down};

/// Why there are no embeddings.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The key may not have them.
    #[error(transparent)]
    Refused(#[from] AdmitError),
    /// The call failed, or was not made.
    #[error("{}", .0.message)]
    Failed(Failure),
}

impl From<Failure> for EmbedError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Engine {
    /// Asks a model for embeddings: `body` is a request of OpenAI's API, and so is what comes back.
    ///
    /// # Errors
    /// Where the key may not; and as a call for an answer fails, `Unsupported` where the provider has none.
    pub async fn embed(
        &self,
        model: &ModelRef,
        body: Map<String, Value>,
        key: Option<KeyId>,
    ) -> Result<Value, EmbedError> {
        let reservation = self.inner.reserve_unrecorded(key, model)?;
        let embedded = self.call_for_embeddings(model, body).await;
        if let Some(reservation) = reservation {
            reservation.end_uncounted();
        }
        Ok(embedded?)
    }

    async fn call_for_embeddings(
        &self,
        model: &ModelRef,
        body: Map<String, Value>,
    ) -> Result<Value, Failure> {
        let inner = &self.inner;
        let (Some(provider), Some(turnstile)) =
            (inner.providers.get(&model.provider), inner.turnstiles.get(&model.provider))
        else {
            let message = format!("provider {:?} is not configured here", model.provider.as_str());
            return Err(Failure::new(FailureClass::Unavailable, message));
        };
        let patience = turnstile.queue_patience();
        let place = turnstile.queue().map_err(|full| Failure {
            retry_after_ms: u64::try_from(full.retry_after.as_millis()).ok(),
            ..overloaded(model, patience)
        })?;
        let permit = place.wait(patience).await.ok_or_else(|| overloaded(model, patience))?;
        if inner.switches.is_disabled(&model.provider) {
            return Err(Failure::new(FailureClass::Unavailable, "the provider is disabled"));
        }
        if let Some(left) = provider.cooling(&model.model) {
            return Err(cooling_down(model, left));
        }
        let passage = turnstile.pass().map_err(|left| provider_down(model, left))?;
        turnstile.note_call();
        let embedded = Arc::clone(provider).embed(&model.model, body).await;
        let verdict = match &embedded {
            Ok(_) => Verdict::Success,
            Err(failure) => passage.verdict_of(failure),
        };
        passage.end(verdict);
        drop(permit);
        embedded
    }
}
