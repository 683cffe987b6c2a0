//! Taking a prompt in: is there room, was it here before, and then its record, durable before anybody is told.

mod allowance;
mod gate;
mod intake;
mod keys;

use std::time::Duration;

pub(crate) use gate::{Accepting, Place, Places, Running, RunningGuard};
pub(crate) use keys::{Claim, Keys, OwnedKey};
use wordhoard_model::{Fallback, Idempotency, KeyId, LaneSpec, ModelRef, Prompt, ProviderName, RequestId};
use wordhoard_providers::ClientCredential;

use crate::accounts::{Refusal, Standing};

/// A prompt that keeps the rules, and the models it is for.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// What is asked.
    pub prompt: Prompt,
    /// Whom, 1 to 5.
    pub lanes: Vec<LaneSpec>,
    /// The caller's key against doubles.
    pub idempotency: Option<Idempotency>,
    /// Who answers in the place of a model that fails.
    pub fallback: Fallback,
    /// The client's own credential, for a provider that is asked with it. It is recorded nowhere.
    pub credential: Option<ClientCredential>,
    /// The key that it comes with, where the database knows it.
    pub key: Option<KeyId>,
}

/// An accepted prompt. Its record is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// Its id.
    pub request_id: RequestId,
    /// Its lanes.
    pub lanes: Vec<LaneSpec>,
    /// Whether it was accepted before, under the same key.
    pub replayed: bool,
    /// How many items of its answer its client has shown that it has.
    pub shown_items: usize,
    /// How its key stands with what it may use.
    pub standing: Standing,
}

/// Why a prompt is not accepted. Nothing was recorded, unless it says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdmitError {
    /// The server is starting or stopping.
    #[error("the server does not accept prompts at the moment")]
    NotAccepting,
    /// The log cannot be written, or the disk is too full.
    #[error("the prompt cannot be recorded at the moment: {0}")]
    Storage(String),
    /// So many requests run that one more would hurt them.
    #[error("{running} requests are running, which is the limit")]
    TooManyRunning {
        /// How many run.
        running: usize,
    },
    /// So many wait for one of its providers already that one more would wait too long.
    #[error("too many prompts are waiting for {provider}")]
    Overloaded {
        /// Which one.
        provider: ProviderName,
        /// When there may be room again.
        retry_after: Duration,
    },
    /// The key may not ask this model.
    #[error("this key may not ask {model}")]
    ModelNotAllowed {
        /// Which one.
        model: ModelRef,
    },
    /// The key has a budget, and nobody can tell what this model would take of it.
    #[error("this key has a budget, and the price of {model} is not in the configuration")]
    NoPrice {
        /// Which one.
        model: ModelRef,
    },
    /// The key has used what it may.
    #[error("{}", .0.exceeded)]
    OverLimit(Refusal),
    /// What the key has used cannot be told.
    #[error("what this key has used so far is not known yet: SQL cannot be asked")]
    UsageUnknown,
    /// The key was used with another body.
    #[error("this Idempotency-Key was used for another body within the last 24 hours")]
    KeyReused,
    /// The first prompt under this key is still being accepted.
    #[error("a prompt with this Idempotency-Key is being accepted right now")]
    KeyInFlight,
    /// Whether the key was used before cannot be told.
    #[error("the Idempotency-Key cannot be checked at the moment: {0}")]
    KeysUnavailable(String),
}
