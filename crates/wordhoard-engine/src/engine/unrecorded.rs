//! Counts of tokens, of which nothing is recorded, for nothing of them is lost when they are made again. They go through the same
//! gate as every other call.

use futures_util::future::BoxFuture;
use wordhoard_model::{Failure, FailureClass, KeyId, ModelRef, RequestId};
use wordhoard_providers::{Call, Passage, Passed, Provider};

use super::Engine;
use crate::accounts::tokens_of;
use crate::admission::AdmitError;
use crate::calls::{Caller, Pool, Verdicts};
use crate::request::readiness::{overloaded, provider_down};

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

/// How many tokens a prompt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// The tokens.
    pub input_tokens: u64,
    /// Whether they were estimated, because the provider does not count.
    pub is_estimated: bool,
}

impl From<Failure> for UnrecordedError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Engine {
    /// Asks how many tokens a prompt has, without making a request of it. Where the provider does not count, or has not the route
    /// to be asked, it is estimated.
    ///
    /// # Errors
    /// Where the key may not ask the model; and as a call for an answer fails.
    pub async fn count_tokens(
        &self,
        model: &ModelRef,
        call: Call,
        key: Option<KeyId>,
    ) -> Result<TokenCount, UnrecordedError> {
        let _counted = self.inner.reserve_unrecorded(key, model)?;
        let estimated = call.verbatim.as_ref().map_or(0, |asked| {
            let said = |name| asked.body.get(name).map_or(0, tokens_of);
            ["system", "messages", "tools"].into_iter().map(said).sum()
        });
        match self.call(model, key, |provider| provider.count_tokens(call)).await {
            Ok(input_tokens) => Ok(TokenCount { input_tokens, is_estimated: false }),
            Err(failure) if matches!(failure.class, FailureClass::Unsupported | FailureClass::NotFound) => {
                Ok(TokenCount { input_tokens: estimated, is_estimated: true })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Passes a request on to a path of a provider that the server knows nothing of. Of it and of its answer nothing is recorded,
    /// and neither breaker nor retry concern it; the key's limits do.
    ///
    /// # Errors
    /// Where the key may not ask it, and where the provider cannot be reached.
    pub async fn pass_on(
        &self,
        target: &ModelRef,
        passage: Passage,
        key: Option<KeyId>,
    ) -> Result<Passed, UnrecordedError> {
        let _counted = self.inner.reserve_unrecorded(key, target)?;
        let Some(provider) = self.inner.providers.get(&target.provider) else {
            let message = format!("provider {:?} is not configured here", target.provider.as_str());
            return Err(Failure::new(FailureClass::Unavailable, message).into());
        };
        if self.inner.switches.is_disabled(&target.provider) {
            return Err(Failure::new(FailureClass::Unavailable, "the provider is disabled").into());
        }
        Ok(provider.pass_on(passage).await?)
    }

    async fn call<T>(
        &self,
        model: &ModelRef,
        key: Option<KeyId>,
        call: impl FnOnce(&dyn Provider) -> BoxFuture<'static, Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let inner = &self.inner;
        let (Some(provider), Some(gate)) =
            (inner.providers.get(&model.provider), inner.gates.get(&model.provider))
        else {
            let message = format!("provider {:?} is not configured here", model.provider.as_str());
            return Err(Failure::new(FailureClass::Unavailable, message));
        };
        let patience = gate.queue_patience();
        let place = gate.queue(Pool::DropIn, key).map_err(|full| Failure {
            retry_after_ms: u64::try_from(full.retry_after.as_millis()).ok(),
            ..overloaded(model, patience)
        })?;
        let slot = place.wait(patience).await.ok_or_else(|| overloaded(model, patience))?;
        if inner.switches.is_disabled(&model.provider) {
            return Err(Failure::new(FailureClass::Unavailable, "the provider is disabled"));
        }
        if let Some(resting) = provider.resting(&model.model) {
            return Err(resting.into_failure());
        }
        let caller = Caller { request: RequestId::generate(inner.clock.now()), is_retry: false };
        let permit = gate.admit(&model.model, caller, slot).map_err(|closed| provider_down(model, closed))?;
        gate.note_call();
        let answered = call(&**provider).await;
        match &answered {
            Ok(_) => permit.end(Verdicts::SUCCESS, None),
            Err(failure) => permit.end(Verdicts::of(failure), Some(failure)),
        }
        answered
    }
}
