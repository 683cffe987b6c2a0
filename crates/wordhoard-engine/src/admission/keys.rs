//! Idempotency keys that SQL does not know yet: those being accepted, and those accepted but not applied.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wordhoard_model::{Idempotency, KeyId, RequestCreated, RequestId};

use super::AdmitError;

#[derive(Debug)]
enum Entry {
    InFlight,
    Accepted { request_id: RequestId, body_sha256: [u8; 32] },
}

/// An idempotency key as a caller gave it, with the API key that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct OwnedKey {
    owner: Option<KeyId>,
    given: Idempotency,
}

/// An idempotency key, with the API key that it belongs to.
type Scoped = (Option<KeyId>, String);

impl OwnedKey {
    /// Of a request, where it has one.
    pub(crate) fn of(created: &RequestCreated) -> Option<Self> {
        Some(Self { owner: created.key, given: created.idempotency.clone()? })
    }

    fn name(&self) -> Scoped {
        (self.owner, self.given.key.clone())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Mutex<HashMap<Scoped, Entry>>>);

/// A key that is ours to accept; given back when dropped, unless it was accepted.
#[derive(Debug)]
pub(crate) struct Claim {
    keys: Keys,
    name: Scoped,
    body_sha256: [u8; 32],
}

impl Keys {
    /// Claims the key, or tells which request it has brought about already.
    pub(crate) fn claim(
        &self,
        owner: Option<KeyId>,
        given: &Idempotency,
    ) -> Result<Result<Claim, RequestId>, AdmitError> {
        let mut entries = self.0.lock();
        let name = (owner, given.key.clone());
        match entries.get(&name) {
            None => {
                entries.insert(name.clone(), Entry::InFlight);
                Ok(Ok(Claim { keys: self.clone(), name, body_sha256: given.body_sha256 }))
            }
            Some(Entry::InFlight) => Err(AdmitError::KeyInFlight),
            Some(Entry::Accepted { request_id, body_sha256 }) if *body_sha256 == given.body_sha256 => {
                Ok(Err(*request_id))
            }
            Some(Entry::Accepted { .. }) => Err(AdmitError::KeyReused),
        }
    }

    /// A request from before the start of this server was accepted under the key, and SQL does not know it yet. False
    /// where the key is known.
    pub(crate) fn note_accepted(&self, key: &OwnedKey, request_id: RequestId) -> bool {
        let mut entries = self.0.lock();
        let name = key.name();
        if entries.contains_key(&name) {
            return false;
        }
        entries.insert(name, Entry::Accepted { request_id, body_sha256: key.given.body_sha256 });
        true
    }

    /// SQL knows the key from now on.
    pub(crate) fn forget(&self, key: &OwnedKey, request_id: RequestId) {
        let mut entries = self.0.lock();
        let name = key.name();
        if matches!(entries.get(&name), Some(Entry::Accepted { request_id: known, .. }) if *known == request_id)
        {
            entries.remove(&name);
        }
    }
}

impl Claim {
    pub(crate) fn accept(self, request_id: RequestId) {
        let accepted = Entry::Accepted { request_id, body_sha256: self.body_sha256 };
        self.keys.0.lock().insert(self.name.clone(), accepted);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut entries = self.keys.0.lock();
        if matches!(entries.get(&self.name), Some(Entry::InFlight)) {
            entries.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(body: u8) -> Idempotency {
        Idempotency { key: "k".into(), body_sha256: [body; 32] }
    }

    #[test]
    fn a_key_is_accepted_once_and_given_back_when_it_was_not() {
        let keys = Keys::default();
        let claim = keys.claim(None, &given(1)).unwrap().unwrap();
        assert!(matches!(keys.claim(None, &given(1)), Err(AdmitError::KeyInFlight)));
        drop(claim);
        let id = RequestId::from_bytes([1; 16]);
        keys.claim(None, &given(1)).unwrap().unwrap().accept(id);
        assert_eq!(keys.claim(None, &given(1)).unwrap().unwrap_err(), id);
        assert!(matches!(keys.claim(None, &given(2)), Err(AdmitError::KeyReused)));
        keys.forget(&OwnedKey { owner: None, given: given(1) }, RequestId::from_bytes([2; 16]));
        assert!(keys.claim(None, &given(1)).unwrap().is_err());
        let other = Some(KeyId::from_bytes([7; 16]));
        assert!(keys.claim(other, &given(2)).unwrap().is_ok(), "another caller's key is another one");
        keys.forget(&OwnedKey { owner: None, given: given(1) }, id);
        assert!(keys.claim(None, &given(2)).unwrap().is_ok());
    }
}
