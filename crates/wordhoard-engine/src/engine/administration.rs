//! What an administrator asks of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use wordhoard_model::{Conversation, Failure, FailureClass, ModelRef, ProviderName};
use wordhoard_providers::{AnswerPart, Call};
use wordhoard_store::{Error, ProviderSwitch};
use wordhoard_wal::{Position, SegmentInfo, Usage};

use super::Engine;
use crate::calls::{Load, ProviderGate};
use crate::switches::ProviderState;

/// How long a probe may take (SPEC FD 2).
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a provider could not be switched or probed.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// This server has no such provider.
    #[error("this server has no provider {0:?}")]
    Unknown(String),
    /// SQL cannot take it now. Nothing was changed, as far as is known.
    #[error("{0}")]
    Unavailable(String),
}

/// What a probe of a provider found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How long the answer took, or the failure.
    pub latency: Duration,
    /// Why there was no whole answer.
    pub failure: Option<String>,
}

/// How the log stands on disk.
#[derive(Clone, Debug)]
pub struct LogReport {
    /// Exclusive end of the records that are durable.
    pub durable: Position,
    /// Exclusive end of the records that are in SQL.
    pub applied: Position,
    /// What it takes on disk, and the first position that it holds.
    pub usage: Usage,
    /// Its segments, ascending.
    pub segments: Vec<SegmentInfo>,
}

/// How a provider is and what it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderReport {
    /// Whether it is called.
    pub state: ProviderState,
    /// Failures since its last success that count towards opening its breaker; 0 once that is open.
    pub consecutive_failures: u32,
    /// How long it will not be called yet, where its breaker is open.
    pub open_for: Option<Duration>,
    /// Calls that run.
    pub running: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Calls of the native API that may run at the same time.
    pub concurrency: usize,
    /// Calls of the drop-in APIs that may run at the same time.
    pub drop_in_concurrency: usize,
    /// Keys that the provider did not accept when they were used last.
    pub refused_keys: usize,
    /// Keys whose account has no credit left.
    pub keys_without_credit: usize,
    /// The models that were called in the last hour, each with the state of its breaker.
    pub models: Vec<(String, ProviderState)>,
}

impl Engine {
    /// How each provider of this server is. Asks nobody.
    pub fn provider_reports(&self) -> BTreeMap<ProviderName, ProviderReport> {
        let report = |(name, gate): (&ProviderName, &Arc<ProviderGate>)| {
            let (state, consecutive_failures, open_for) = gate.state();
            let Load { running, waiting, concurrency, drop_in_concurrency } = gate.load();
            let provider = self.inner.providers.get(name);
            let report = ProviderReport {
                state: self.inner.switches.overrule(name, state),
                consecutive_failures,
                open_for,
                running,
                waiting,
                concurrency,
                drop_in_concurrency,
                refused_keys: provider.map_or(0, |provider| provider.refused_keys()),
                keys_without_credit: provider.map_or(0, |provider| provider.keys_without_credit()),
                models: gate.model_states(),
            };
            (name.clone(), report)
        };
        self.inner.gates.iter().map(report).collect()
    }

    /// Who answers in the place of a model that fails, unless a request says otherwise.
    pub fn fallback_queue(&self) -> &[ModelRef] {
        &self.inner.settings.calls.fallback
    }

    /// Whether each provider of this server is called. Asks nobody.
    pub fn provider_states(&self) -> BTreeMap<ProviderName, ProviderState> {
        let state = |(name, gate): (&ProviderName, &Arc<ProviderGate>)| {
            (name.clone(), self.inner.switches.overrule(name, gate.state().0))
        };
        self.inner.gates.iter().map(state).collect()
    }

    /// Whether this model is called now: its provider is not switched off, and no breaker is open. Asks nobody.
    pub fn may_call(&self, model: &ModelRef) -> bool {
        let is_refused =
            || self.inner.gates.get(&model.provider).is_some_and(|gate| gate.refuses(&model.model).is_some());
        !self.inner.switches.is_disabled(&model.provider) && !is_refused()
    }

    /// Switches a provider on or off, on every server of this database. What it answers just now goes on.
    ///
    /// # Errors
    /// Where this server has no such provider, or SQL cannot take it.
    pub async fn switch_provider(&self, name: &ProviderName, enabled: bool) -> Result<(), SwitchError> {
        self.known(name)?;
        let switch = ProviderSwitch { provider: name.clone(), enabled, changed_at: self.inner.clock.now() };
        Ok(self.inner.switches.switch(&*self.inner.store, switch).await?)
    }

    /// Takes back all that was decided about a provider: it is enabled and closed.
    ///
    /// # Errors
    /// Where this server has no such provider, or SQL cannot take it.
    pub async fn reset_provider(&self, name: &ProviderName) -> Result<(), SwitchError> {
        self.known(name)?;
        if let Some(gate) = self.inner.gates.get(name) {
            gate.reset();
        }
        Ok(self.inner.switches.reset(&*self.inner.store, name.clone()).await?)
    }

    /// Asks a provider for the least that it can answer, whether it is disabled or not, and whatever its breaker says.
    /// What it answers closes the breaker, or opens it at once. Nothing is recorded.
    ///
    /// # Errors
    /// Where this server has no such provider.
    pub async fn probe(&self, name: &ProviderName, model: &str) -> Result<Probe, SwitchError> {
        let Some(provider) = self.inner.providers.get(name) else {
            return Err(SwitchError::Unknown(name.as_str().to_owned()));
        };
        let conversation = Conversation { max_tokens: Some(1), ..Conversation::of_user("ping") };
        let mut answer = provider.answer(Call::new(model, Arc::new(conversation)));
        let started = Instant::now();
        let end = tokio::time::timeout(PROBE_PATIENCE, async {
            loop {
                match answer.next().await {
                    Some(Ok(AnswerPart::Pieces(_) | AnswerPart::Usage(_))) => {}
                    Some(Ok(AnswerPart::Completed(_))) => return None,
                    Some(Err(broken)) => return Some(broken.failure),
                    None => {
                        let reason = "the answer ended without its end";
                        return Some(Failure::new(FailureClass::Cut, reason));
                    }
                }
            }
        });
        let failure = end.await.unwrap_or_else(|_| {
            let reason = format!("no whole answer within {PROBE_PATIENCE:?}");
            Some(Failure::new(FailureClass::FirstTokenTimeout, reason))
        });
        if let Some(gate) = self.inner.gates.get(name) {
            gate.tried_by_hand(model, failure.as_ref());
        }
        let failure = failure.map(|failure| failure.to_string());
        Ok(Probe { latency: started.elapsed(), failure })
    }

    /// How the log stands.
    pub fn log_report(&self) -> LogReport {
        let wal = &self.inner.wal;
        LogReport {
            applied: *self.inner.applier.applied().borrow(),
            durable: wal.progress().durable,
            usage: wal.usage(),
            segments: wal.segments(),
        }
    }

    fn known(&self, name: &ProviderName) -> Result<(), SwitchError> {
        match self.inner.providers.get(name) {
            Some(_) => Ok(()),
            None => Err(SwitchError::Unknown(name.as_str().to_owned())),
        }
    }
}

impl From<Error> for SwitchError {
    fn from(error: Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
