//! In whose name a provider is called: with keys of ours, or with the credential of the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wordhoard_model::{Failure, FailureClass, ProviderName};

use crate::ClientCredential;
use crate::key_ring::KeyRing;
use crate::redaction::Redactor;

/// Credentials come from callers; of more than these the rests are forgotten.
const MAX_CREDENTIALS: usize = 1_000;

/// Who pays for the calls to a provider.
#[derive(Debug)]
pub(crate) enum Account {
    /// We, with these keys.
    Ours(Arc<KeyRing>),
    /// Each client, with a credential of its own, which rests as a key of ours would.
    Clients(Mutex<HashMap<[u8; 32], Arc<KeyRing>>>),
}

/// What one call goes with.
pub(crate) struct Pass {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) credential: Option<ClientCredential>,
    pub(crate) redactor: Redactor,
}

impl Account {
    /// One of the clients.
    pub(crate) fn of_clients() -> Self {
        Self::Clients(Mutex::default())
    }

    pub(crate) fn is_clients(&self) -> bool {
        matches!(self, Self::Clients(_))
    }

    /// Our keys, where the calls are ours.
    pub(crate) fn our_keys(&self) -> Option<&KeyRing> {
        match self {
            Self::Ours(keys) => Some(keys),
            Self::Clients(_) => None,
        }
    }

    /// What a call goes with that came with this credential. It is nobody else's: where we pay, it goes nowhere.
    pub(crate) fn pass(
        &self,
        provider: &ProviderName,
        redactor: &Redactor,
        credential: Option<ClientCredential>,
    ) -> Result<Pass, Failure> {
        let rings = match self {
            Self::Ours(keys) => {
                return Ok(Pass { keys: Arc::clone(keys), credential: None, redactor: redactor.clone() });
            }
            Self::Clients(rings) => rings,
        };
        let Some(credential) = credential else {
            let message = format!(
                "provider {:?} is asked with the client's own credential, and the request has none",
                provider.as_str()
            );
            return Err(Failure::new(FailureClass::CredentialRefused, message));
        };
        // Nothing in here panics while it holds the lock.
        let mut rings = rings.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.len() >= MAX_CREDENTIALS && !rings.contains_key(&credential.sha256()) {
            rings.clear();
        }
        let ring = || Arc::new(KeyRing::of_client(provider.clone()));
        let keys = Arc::clone(rings.entry(credential.sha256()).or_insert_with(ring));
        let redactor = Redactor::new(credential.keys());
        Ok(Pass { keys, credential: Some(credential), redactor })
    }

    /// The failure as its client is told it: where the credential is the client's, so is its refusal.
    pub(crate) fn blame(is_clients: bool, failure: Failure) -> Failure {
        match failure.class {
            FailureClass::Unauthorized if is_clients => {
                Failure { class: FailureClass::CredentialRefused, ..failure }
            }
            _ => failure,
        }
    }
}
