//! Keys of callers, and what each may use.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Cost, ModelRef};

/// The id of a key: a UUIDv7. No secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

/// A text that is not the id of any key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a key id is a UUID such as 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11")]
pub struct ParseKeyIdError;

impl KeyId {
    /// A fresh id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id with these 16 bytes, as they were once given by [`KeyId::as_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = ParseKeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).map_err(|_| ParseKeyIdError)?;
        // One spelling, as with the ids of requests.
        if id.as_hyphenated().to_string() == text { Ok(Self(id)) } else { Err(ParseKeyIdError) }
    }
}

/// What a key may use. What is none is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Requests within any 60 seconds.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers within any 60 seconds, by when their requests came.
    pub tokens_per_minute: Option<u64>,
    /// Requests that run at the same time.
    pub concurrent_requests: Option<u32>,
    /// The models that may be asked, in the place of others too; any where there is none.
    pub models: Option<Vec<ModelPattern>>,
    /// Money for the requests of a day (UTC).
    pub budget_per_day: Option<Cost>,
    /// Money for the requests of a month (UTC).
    pub budget_per_month: Option<Cost>,
}

impl KeyLimits {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the model may be asked.
    pub fn allows(&self, model: &ModelRef) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.fits(model)))
    }

    /// Whether something is limited that depends on what was used before.
    pub fn needs_history(&self) -> bool {
        !Self { models: None, concurrent_requests: None, ..self.clone() }.is_unlimited()
    }

    /// Whether money is limited.
    pub fn has_budget(&self) -> bool {
        self.budget_per_day.is_some() || self.budget_per_month.is_some()
    }
}

/// A model, as `provider:model`, or all of a provider's, as `provider:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPattern(ModelRef);

impl ModelPattern {
    fn fits(&self, model: &ModelRef) -> bool {
        self.0.provider == model.provider && (self.0.model == "*" || self.0.model == model.model)
    }
}

impl FromStr for ModelPattern {
    type Err = crate::ParseModelRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern: ModelRef = text.parse()?;
        if pattern.model != "*" && pattern.model.contains('*') {
            return Err(crate::ParseModelRefError::BadPattern(text.to_owned()));
        }
        Ok(Self(pattern))
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_ask_the_models_that_it_is_given() {
        let limits = KeyLimits {
            models: Some(vec!["openai:gpt-4o".parse().unwrap(), "demo:*".parse().unwrap()]),
            ..KeyLimits::default()
        };
        for (model, allowed) in [
            ("openai:gpt-4o", true),
            ("openai:gpt-4o-mini", false),
            ("demo:brisk", true),
            ("anthropic:gpt-4o", false),
        ] {
            assert_eq!(limits.allows(&model.parse().unwrap()), allowed, "{model}");
            assert!(KeyLimits::default().allows(&model.parse().unwrap()));
        }
        assert!(!limits.is_unlimited() && !limits.needs_history());
    }

    #[test]
    fn a_pattern_that_would_be_one_name_is_refused() {
        for text in ["demo:b*", "demo:**", "demo:*k"] {
            let refused = Err(crate::ParseModelRefError::BadPattern(text.to_owned()));
            assert_eq!(text.parse::<ModelPattern>(), refused);
        }
    }

    #[test]
    fn an_id_of_a_key_has_one_spelling() {
        let id = KeyId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "x", &id.to_string().to_uppercase(), &id.to_string().replace('-', "")] {
            assert_eq!(text.parse::<KeyId>(), Err(ParseKeyIdError), "{text}");
        }
    }
}
