//! Calls of which nothing is recorded, for nothing of them is lost when they are made again: embeddings, and counts of tokens.
//! They go through the same turnstile as every other.

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use wordhoard_model::{Failure, FailureClass, KeyId, ModelRef};
use wordhoard_providers::{Call, Provider};

use super::Engine;
use crate::accounts::tokens_of_fields;
use crate::admission::AdmitError;
use crate::calls::Verdict;
use crate::request::readiness::{cooling_down, overloaded, provider_down};

/// Why a call of which nothing is recorded gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum UnrecordedError {
    /// The key may not make it.
    #[error(transparent)]
    Refused(#[from] AdmitError),
    /// The call failed, or was not made.
    #[error("{}", .0.message)]
    Failed(Failure),
}

impl From<Failure> for UnrecordedError {
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
    ) -> Result<Value, UnrecordedError> {
        let asked = key.map_or(0, |_| tokens_of_fields(&body));
        let mut counted = self.inner.reserve_unrecorded(key, model, asked, true)?;
        let embedded = self.call(model, |provider| provider.embed(&model.model, body)).await;
        if let (Some(counted), Ok(told)) = (&mut counted, &embedded) {
            counted.tokens = told["usage"]["total_tokens"].as_u64().unwrap_or(counted.tokens);
        }
        Ok(embedded?)
    }

    /// Asks how many tokens a prompt has, without making a request of it.
    ///
    /// # Errors
    /// Where the key may not ask the model; and as a call for an answer fails, `Unsupported` where the provider does not
    /// count.
    pub async fn count_tokens(
        &self,
        model: &ModelRef,
        call: Call,
        key: Option<KeyId>,
    ) -> Result<u64, UnrecordedError> {
        let _counted = self.inner.reserve_unrecorded(key, model, 0, false)?;
        Ok(self.call(model, |provider| provider.count_tokens(call)).await?)
    }

    async fn call<T>(
        &self,
        model: &ModelRef,
        call: impl FnOnce(&dyn Provider) -> BoxFuture<'static, Result<T, Failure>>,
    ) -> Result<T, Failure> {
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
        let answered = call(&**provider).await;
        let verdict = match &answered {
            Ok(_) => Verdict::Success,
            Err(failure) => passage.verdict_of(failure),
        };
        passage.end(verdict);
        drop(permit);
        answered
    }
}
