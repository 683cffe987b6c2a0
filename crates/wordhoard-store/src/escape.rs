//! Text without NUL. PostgreSQL refuses it and older programs for SQLite end a text there, but a provider may well send it, so it
//! is escaped; see docs/decisions/0008-nul-in-postgresql.md.

use std::borrow::Cow;

use crate::columns::ColumnError;

/// A noncharacter: never meant for interchange, so that hardly any text changes.
const ESCAPE: char = '\u{fdd0}';
const NUL: char = '0';

/// One stored text for each text, and no two for the same.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([ESCAPE, NUL]),
            ESCAPE => stored.extend([ESCAPE, ESCAPE]),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The counterpart of [`escape`].
pub(crate) fn unescape(stored: &str) -> Result<Cow<'_, str>, ColumnError> {
    if !stored.contains(ESCAPE) {
        return Ok(Cow::Borrowed(stored));
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            ESCAPE => match characters.next() {
                Some(NUL) => '\0',
                Some(ESCAPE) => ESCAPE,
                _ => return Err("U+FDD0 is followed by neither '0' nor U+FDD0".into()),
            },
            other => other,
        });
    }
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        let odd = prop_oneof![Just('\0'), Just(ESCAPE), Just(NUL), any::<char>()];
        proptest::collection::vec(odd, 0..24).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_none_holds_a_nul(text in texts()) {
            let stored = escape(&text);
            prop_assert!(!stored.contains('\0'));
            prop_assert_eq!(unescape(&stored).unwrap(), text.as_str());
        }

        /// What is read without an error is what would be written: nothing has two spellings.
        #[test]
        fn a_stored_text_is_the_only_one_for_its_text(stored in texts()) {
            if let Ok(text) = unescape(&stored) {
                prop_assert!(stored.contains('\0') || escape(&text) == stored);
            }
        }
    }

    #[test]
    fn a_usual_text_is_not_copied_and_a_torn_escape_is_damage() {
        assert!(matches!(escape("¿qué? ☃"), Cow::Borrowed(_)));
        assert!(unescape("a\u{fdd0}b").is_err());
        assert!(unescape("a\u{fdd0}").is_err());
    }
}
