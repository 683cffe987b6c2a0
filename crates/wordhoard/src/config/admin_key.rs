use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The shortest key (SPEC FD 11).
const MIN_CHARACTERS: usize = 32;

/// A key that opens the administration. Kept as its digest: keys are random, so nothing slower is needed.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminKey([u8; 32]);

impl AdminKey {
    /// # Errors
    /// Where it is too short to be a key.
    pub(super) fn new(key: &str) -> Result<Self, String> {
        if key.chars().count() < MIN_CHARACTERS {
            return Err(format!("must have at least {MIN_CHARACTERS} characters"));
        }
        Ok(Self(Sha256::digest(key.as_bytes()).into()))
    }

    /// Whether this is the key. Takes as long for a wrong one as for the right one.
    pub fn is(&self, key: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        self.0.ct_eq(&given).into()
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey")
    }
}
