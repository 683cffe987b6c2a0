//! Names and ids that keep to a provider's rules.

use sha2::{Digest, Sha256};

/// What a name may be.
pub(super) struct NameRule {
    max_chars: usize,
    is_allowed: fn(char) -> bool,
}

/// So many characters at the end of a fitted name tell it from others that are fitted alike.
const MARK_CHARS: usize = 8;

impl NameRule {
    pub(super) const ANY: fn(char) -> bool = |_| true;
    pub(super) const WORD: fn(char) -> bool = |c| c.is_ascii_alphanumeric() || c == '_';
    pub(super) const WORD_AND_DASH: fn(char) -> bool =
        |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    pub(super) const WORD_DOT_COLON_AND_DASH: fn(char) -> bool =
        |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');

    pub(super) const fn new(max_chars: usize, is_allowed: fn(char) -> bool) -> Self {
        Self { max_chars, is_allowed }
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        name.chars().count() <= self.max_chars && name.chars().all(self.is_allowed)
    }

    /// The name itself where it fits; else what it has in common with the rule, and a mark by which the same stays the same
    /// and different ones differ.
    pub(super) fn fitted(&self, name: &str) -> String {
        if self.fits(name) {
            return name.to_owned();
        }
        let kept = self.max_chars.saturating_sub(MARK_CHARS + 1);
        let replaced = name.chars().map(|c| if (self.is_allowed)(c) { c } else { '_' });
        let beginning: String = replaced.take(kept).collect();
        format!("{beginning}_{}", &digest(name)[..MARK_CHARS])
    }
}

/// 64 characters that stand for a text.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
