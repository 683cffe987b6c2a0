use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::ApiKey;

/// The credential of a client itself, for a provider that is asked in its client's name: a subscription, say. It shows nothing of
/// itself in `Debug`, is recorded nowhere, and leaves this crate only in a call to the provider that its client has asked.
#[derive(Clone)]
pub struct ClientCredential {
    /// The headers that hold it.
    secrets: Arc<[(HeaderName, HeaderValue)]>,
    /// Headers that say who the client is, which such a provider wants to know as well.
    beside: Arc<[(HeaderName, HeaderValue)]>,
    sha256: [u8; 32],
}

impl ClientCredential {
    /// One of these headers; none where there is no secret.
    pub fn new(
        secrets: Vec<(HeaderName, HeaderValue)>,
        beside: Vec<(HeaderName, HeaderValue)>,
    ) -> Option<Self> {
        if secrets.is_empty() {
            return None;
        }
        let mut digest = Sha256::new();
        let mut kept = Vec::with_capacity(secrets.len());
        for (name, mut value) in secrets {
            digest.update(name.as_str());
            digest.update(b"\n");
            digest.update(value.as_bytes());
            digest.update(b"\n");
            value.set_sensitive(true);
            kept.push((name, value));
        }
        Some(Self { secrets: kept.into(), beside: beside.into(), sha256: digest.finalize().into() })
    }

    /// What tells it from others without showing it.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Everything that goes with a call.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.secrets.iter().chain(self.beside.iter())
    }

    /// The secrets in it, without the scheme before them: for taking them out of what the provider says.
    pub(crate) fn keys(&self) -> impl Iterator<Item = ApiKey> {
        let texts = self.secrets.iter().filter_map(|(_, value)| value.to_str().ok());
        texts.filter_map(|text| text.split_whitespace().last()).map(|key| ApiKey::new(key.to_owned()))
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredential(…)")
    }
}
