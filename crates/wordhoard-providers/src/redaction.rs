//! Takes secrets out of what a provider says before it becomes a failure that is logged, stored and shown.

use std::sync::Arc;

use wordhoard_model::Failure;
use wordhoard_wire::one_line;

use crate::ApiKey;

/// The longest message of a failure, in characters.
const MAX_MESSAGE_CHARS: usize = 500;
/// What stands where a secret was.
const MARK: &str = "[redacted]";
/// The shortest beginning of the key that is taken out where a message was cut in the middle of it.
const MIN_KEY_PREFIX_BYTES: usize = 4;
/// A key shorter than this is a placeholder such as `none`, and taken out only where it stands as a word: anywhere else
/// it would tear other words apart.
const MIN_SECRET_BYTES: usize = 8;
/// Words that begin a key: OpenAI, DeepSeek, Anthropic and OpenRouter (`sk-`), Google (`AIza`), Groq (`gsk_`),
/// xAI (`xai-`), Hugging Face (`hf_`).
const KEY_PREFIXES: &[&str] = &["sk-", "AIza", "gsk_", "xai-", "hf_"];
/// The shortest rest of a word after such a beginning that makes it a key.
const MIN_KEY_REST_CHARS: usize = 8;

/// Knows the keys of one provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    keys: Arc<[ApiKey]>,
}

impl Redactor {
    pub(crate) fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self { keys: keys.into_iter().filter(|key| !key.expose().is_empty()).collect() }
    }

    /// The failure with a message that holds no secret and is at most 500 characters long.
    pub(crate) fn redact(&self, failure: Failure) -> Failure {
        let message = one_line(&self.redact_text(&failure.message), MAX_MESSAGE_CHARS);
        Failure { message, ..failure }
    }

    /// A text without secrets.
    pub(crate) fn redact_text(&self, text: &str) -> String {
        let keys = self.keys.iter().map(ApiKey::expose);
        let text = keys.fold(text.to_owned(), |text, key| redact_key(&text, key));
        redact_lookalikes(&text)
    }
}

fn redact_key(message: &str, key: &str) -> String {
    if key.len() < MIN_SECRET_BYTES {
        return redact_words(message, is_separator, |word| word == key);
    }
    let mut message = message.replace(key, MARK);
    // The message may have been cut in the middle of the key.
    let cut_key = (MIN_KEY_PREFIX_BYTES..key.len())
        .rev()
        .filter_map(|len| key.get(..len))
        .find(|prefix| message.ends_with(prefix));
    if let Some(prefix) = cut_key {
        message.truncate(message.len() - prefix.len());
        message.push_str(MARK);
    }
    message
}

/// Takes out what looks like a key of anyone: the word after `Bearer`, and a word that begins like a key.
fn redact_lookalikes(message: &str) -> String {
    let mut after_bearer = false;
    let without_bearer = redact_words(
        message,
        |c| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ','),
        |word| {
            let name = word.trim_end_matches(':').rsplit([':', '=']).next();
            let is_bearer = name.is_some_and(|name| name.eq_ignore_ascii_case("bearer"));
            std::mem::replace(&mut after_bearer, is_bearer) && !is_bearer
        },
    );
    redact_words(&without_bearer, is_separator, looks_like_key)
}

/// Puts the mark in the place of each word that is a secret.
fn redact_words(
    message: &str,
    is_separator: fn(char) -> bool,
    mut is_secret: impl FnMut(&str) -> bool,
) -> String {
    let mut redacted = String::with_capacity(message.len());
    for part in message.split_inclusive(is_separator) {
        let word = part.trim_end_matches(is_separator);
        if !word.is_empty() && is_secret(word) {
            redacted.push_str(MARK);
        } else {
            redacted.push_str(word);
        }
        redacted.push_str(&part[word.len()..]);
    }
    redacted
}

/// What may stand beside a key, and never in one that begins as we know them.
fn is_separator(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'))
}

fn looks_like_key(word: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| {
        word.match_indices(prefix)
            .any(|(place, _)| word[place + prefix.len()..].chars().count() >= MIN_KEY_REST_CHARS)
    })
}

#[cfg(test)]
mod tests {
    use wordhoard_model::FailureClass;

    use super::*;

    const KEY: &str = "canary.0123456789abcdef";

    fn redact(message: &str) -> String {
        let redactor =
            Redactor::new([ApiKey::new("other-secret-key".into()), ApiKey::new(format!(" {KEY}\n"))]);
        redactor.redact(Failure::new(FailureClass::Unauthorized, message)).message
    }

    #[test]
    fn our_key_never_shows_whole_or_cut() {
        assert_eq!(redact(&format!("bad key {KEY}, and {KEY}!")), "bad key [redacted], and [redacted]!");
        for cut in MIN_KEY_PREFIX_BYTES..KEY.len() {
            assert_eq!(redact(&format!("bad {}", &KEY[..cut])), "bad [redacted]");
        }
        let long = format!("{} {KEY} tail", "x".repeat(MAX_MESSAGE_CHARS - 10));
        assert!(!redact(&long).contains(&KEY[..4]));
        assert!(!format!("{:?}", ApiKey::new(KEY.into())).contains("canary"));
    }

    #[test]
    fn a_placeholder_for_a_key_tears_no_words_apart() {
        let redactor = Redactor::new([ApiKey::new("none".into())]);
        let failure = Failure::new(FailureClass::Unauthorized, "nonesuch: your key 'none' is none of ours");
        let told = redactor.redact(failure).message;
        assert_eq!(told, "nonesuch: your key '[redacted]' is [redacted] of ours");
    }

    #[test]
    fn what_looks_like_a_key_is_taken_out_and_plain_words_stay() {
        assert_eq!(
            redact("Incorrect API key provided: sk-proj-abcdefgh1234. See \"Authorization: Bearer abc.def\""),
            "Incorrect API key provided: [redacted] See \"Authorization: Bearer [redacted]\""
        );
        assert_eq!(redact("key=AIzaSyA0123456789&x=hf_abcdefghij"), "key=[redacted]&x=[redacted]");
        assert_eq!(
            redact("Authorization: bearer  YWJj/ZGVm+Z2g=, then"),
            "Authorization: bearer [redacted], then"
        );
        assert_eq!(redact("ask-me about task-based models"), "ask-me about task-based models");
    }
}
