//! What was said already of a text that a provider may tell again whole.

/// The length and a checksum of a text that came in pieces: enough to know its beginning again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SaidSoFar {
    bytes: usize,
    /// FNV-1a, which goes on with each piece.
    checksum: u64,
}

impl Default for SaidSoFar {
    fn default() -> Self {
        Self { bytes: 0, checksum: 0xcbf2_9ce4_8422_2325 }
    }
}

impl SaidSoFar {
    /// Takes the next piece in.
    pub(crate) fn push(&mut self, piece: &str) {
        self.bytes += piece.len();
        for byte in piece.bytes() {
            self.checksum = (self.checksum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether what was said is that text, neither more nor less.
    pub(crate) fn is_all_of(&self, whole: &str) -> bool {
        let mut known = Self::default();
        known.push(whole);
        known == *self
    }

    /// What of the whole text was not said yet; none where all was, or where it begins with other words: then what was said
    /// stands.
    pub(crate) fn rest_of<'a>(&self, whole: &'a str) -> Option<&'a str> {
        let (said, rest) = whole.split_at_checked(self.bytes)?;
        let mut known = Self::default();
        known.push(said);
        (known == *self && !rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_what_follows_the_same_beginning() {
        let mut said = SaidSoFar::default();
        assert_eq!(said.rest_of("abc"), Some("abc"));
        ["a", "", "b"].into_iter().for_each(|piece| said.push(piece));
        assert_eq!((said.rest_of("abc"), said.rest_of("ab"), said.rest_of("a")), (Some("c"), None, None));
        assert_eq!((said.rest_of("axc"), said.rest_of("aé"), said.is_empty()), (None, None, false));
    }
}
