use std::borrow::Cow;
use std::fmt;

use anyhow::Context;
use sha2::{Digest, Sha256};
use wordhoard_model::{KeyId, KeyLimits, Timestamp};
use wordhoard_store::{KeyRecord, Scope};

/// What every key begins with, so that people and scanners of secrets know one when they see it.
pub(crate) const KEY_PREFIX: &str = "wh_";
/// So many digits behind the prefix are taken for a key, or a part of one.
const SUSPICIOUS_DIGITS: usize = 8;
/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 100;

/// What a key is to be.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    /// What people call it; may be empty.
    pub(crate) name: String,
    /// What it opens.
    pub(crate) scope: Scope,
    /// What it may use.
    pub(crate) limits: KeyLimits,
    /// The group whose keys see each other's requests.
    pub(crate) group: Option<String>,
}

/// A key that was just made. It is shown once; only its digest is kept.
pub(crate) struct FreshKey {
    /// The key itself: `wh_` and 32 random bytes.
    pub(crate) key: String,
    /// What is kept of it.
    pub(crate) record: KeyRecord,
}

impl FreshKey {
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn make(new: NewKey, at: Timestamp) -> anyhow::Result<Self> {
        let NewKey { name, scope, limits, group } = new;
        let mut random = [0; 32];
        getrandom::fill(&mut random).context("the system gives no random bytes")?;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("{KEY_PREFIX}{hex}");
        let sha256 = Sha256::digest(key.as_bytes()).into();
        let id = KeyId::generate();
        let record = KeyRecord { id, name, scope, sha256, created_at: at, revoked_at: None, limits, group };
        Ok(Self { key, record })
    }

    /// What is wrong with the name of a group, if anything.
    pub(crate) fn problem_of_group(name: &str) -> Option<String> {
        if name.trim().is_empty() {
            Some("must not be empty".to_owned())
        } else {
            Self::problem_of_name(name)
        }
    }

    /// What is wrong with the name of a key, if anything.
    pub(crate) fn problem_of_name(name: &str) -> Option<String> {
        let is_bad = name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control);
        is_bad.then(|| {
            format!("must have at most {MAX_NAME_CHARS} characters, none of them a control character")
        })
    }
}

/// A text for the log, without what looks like a key of ours: people put one into a path or a parameter by mistake.
pub(crate) fn without_keys(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    let mut from = 0;
    while let Some(found) = shown[from..].find(KEY_PREFIX) {
        let start = from + found + KEY_PREFIX.len();
        let digits = shown[start..].bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= SUSPICIOUS_DIGITS {
            shown.to_mut().replace_range(start..start + digits, "…");
        }
        from = start;
    }
    shown
}

impl fmt::Debug for FreshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshKey").field("id", &self.record.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_unlike_each_other_and_not_in_what_is_kept_or_printed() {
        let make = || {
            let limits = KeyLimits::default();
            let new = NewKey { name: "n".to_owned(), scope: Scope::Use, limits, group: None };
            FreshKey::make(new, Timestamp::from_millis(1)).unwrap()
        };
        let (one, other) = (make(), make());
        assert!(one.key.starts_with("wh_") && one.key.len() == 67);
        assert_ne!(one.key, other.key);
        let printed = format!("{one:?} {:?}", one.record);
        assert!(!printed.contains(&one.key[3..20]), "{printed}");
    }

    #[test]
    fn what_looks_like_a_key_is_left_out_and_all_else_stays() {
        let key = format!("{KEY_PREFIX}{}", "0a".repeat(32));
        for (text, shown) in [
            (format!("/api/admin/keys/{key}"), "/api/admin/keys/wh_…"),
            (format!("{key} and {}", &key[..20]), "wh_… and wh_…"),
            ("wh_wh_0123456789".to_owned(), "wh_wh_…"),
            ("wh_ wh_y whole wh_12".to_owned(), "wh_ wh_y whole wh_12"),
            (String::new(), ""),
        ] {
            assert_eq!(without_keys(&text), shown);
        }
    }
}
