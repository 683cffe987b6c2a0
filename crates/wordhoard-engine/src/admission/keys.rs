//! Idempotency keys that SQL does not know yet: those being accepted, and those accepted but not applied.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wordhoard_model::{Idempotency, RequestId};

use super::AdmitError;

#[derive(Debug)]
enum Entry {
    InFlight,
    Accepted { request_id: RequestId, body_sha256: [u8; 32] },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Mutex<HashMap<String, Entry>>>);

/// A key that is ours to accept; given back when dropped, unless it was accepted.
#[derive(Debug)]
pub(crate) struct Claim {
    keys: Keys,
    given: Idempotency,
}

impl Keys {
    /// Claims the key, or tells which request it has brought about already.
    pub(crate) fn claim(&self, given: &Idempotency) -> Result<Result<Claim, RequestId>, AdmitError> {
        let mut entries = self.0.lock();
        match entries.get(&given.key) {
            None => {
                entries.insert(given.key.clone(), Entry::InFlight);
                Ok(Ok(Claim { keys: self.clone(), given: given.clone() }))
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
    pub(crate) fn note_accepted(&self, given: &Idempotency, request_id: RequestId) -> bool {
        let mut entries = self.0.lock();
        if entries.contains_key(&given.key) {
            return false;
        }
        let accepted = Entry::Accepted { request_id, body_sha256: given.body_sha256 };
        entries.insert(given.key.clone(), accepted);
        true
    }

    /// SQL knows the key from now on.
    pub(crate) fn forget(&self, given: &Idempotency, request_id: RequestId) {
        let mut entries = self.0.lock();
        if matches!(entries.get(&given.key), Some(Entry::Accepted { request_id: known, .. }) if *known == request_id)
        {
            entries.remove(&given.key);
        }
    }
}

impl Claim {
    pub(crate) fn accept(self, request_id: RequestId) {
        let accepted = Entry::Accepted { request_id, body_sha256: self.given.body_sha256 };
        self.keys.0.lock().insert(self.given.key.clone(), accepted);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut entries = self.keys.0.lock();
        if matches!(entries.get(&self.given.key), Some(Entry::InFlight)) {
            entries.remove(&self.given.key);
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
        let claim = keys.claim(&given(1)).unwrap().unwrap();
        assert!(matches!(keys.claim(&given(1)), Err(AdmitError::KeyInFlight)));
        drop(claim);
        let id = RequestId::from_bytes([1; 16]);
        keys.claim(&given(1)).unwrap().unwrap().accept(id);
        assert_eq!(keys.claim(&given(1)).unwrap().unwrap_err(), id);
        assert!(matches!(keys.claim(&given(2)), Err(AdmitError::KeyReused)));
        keys.forget(&given(1), RequestId::from_bytes([2; 16]));
        assert!(keys.claim(&given(1)).unwrap().is_err());
        keys.forget(&given(1), id);
        assert!(keys.claim(&given(2)).unwrap().is_ok());
    }
}
