//! Names of providers and models.

use std::fmt;
use std::str::FromStr;

/// The name of a configured provider: the part before the colon in `openai:gpt-4o`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName(String);

/// A model at a provider, written `provider:model`. The model's own name may hold further colons (`llama3:8b`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelRef {
    /// Who serves the model.
    pub provider: ProviderName,
    /// The provider's name for it, passed on verbatim.
    pub model: String,
}

/// Why a text names no provider or model.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseModelRefError {
    /// There is no colon, so the text can only be an alias or a bare model.
    #[error("{0:?} has no provider: write provider:model, such as demo:brisk")]
    NoProvider(String),
    /// The provider's name has other characters than it may.
    #[error("{0:?} is no provider name: use 1 to 64 of a-z, 0-9, '_' and '-'")]
    BadProvider(String),
    /// The model's name is empty, too long, or has characters that could break a header or a log line.
    #[error("{0:?} is no model name: use 1 to 200 visible characters")]
    BadModel(String),
    /// A pattern that would be taken for the name of one model.
    #[error(
        "{0:?} has a '*' within a name: write provider:model, or provider:* for all models of a provider"
    )]
    BadPattern(String),
}

impl ProviderName {
    /// Checks the rules of a provider name: 1 to 64 of `a-z`, `0-9`, `_`, `-`.
    ///
    /// # Errors
    /// [`ParseModelRefError::BadProvider`] where the text breaks them.
    pub fn new(name: &str) -> Result<Self, ParseModelRefError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            return Err(ParseModelRefError::BadProvider(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ModelRef {
    /// Checks the rules of a model name and joins it to its provider.
    ///
    /// # Errors
    /// [`ParseModelRefError::BadModel`] where the model's name is empty, over 200 characters or has blanks.
    pub fn new(provider: ProviderName, model: &str) -> Result<Self, ParseModelRefError> {
        let visible = |c: char| !c.is_control() && !c.is_whitespace();
        if model.is_empty() || model.chars().count() > 200 || !model.chars().all(visible) {
            return Err(ParseModelRefError::BadModel(model.to_owned()));
        }
        Ok(Self { provider, model: model.to_owned() })
    }
}

impl FromStr for ModelRef {
    type Err = ParseModelRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((provider, model)) = text.split_once(':') else {
            return Err(ParseModelRefError::NoProvider(text.to_owned()));
        };
        Self::new(ProviderName::new(provider)?, model)
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_hold_colons_a_provider_may_not() {
        let model: ModelRef = "ollama:llama3:8b".parse().unwrap();
        assert_eq!((model.provider.as_str(), model.model.as_str()), ("ollama", "llama3:8b"));
        assert_eq!(model.to_string(), "ollama:llama3:8b");
    }

    #[test]
    fn bad_names_say_which_part_is_bad() {
        let parse = |text: &str| text.parse::<ModelRef>().unwrap_err();
        assert_eq!(parse("gpt-4o"), ParseModelRefError::NoProvider("gpt-4o".into()));
        assert_eq!(parse("Open AI:x"), ParseModelRefError::BadProvider("Open AI".into()));
        assert_eq!(parse("openai:"), ParseModelRefError::BadModel(String::new()));
        assert_eq!(parse("openai:a b"), ParseModelRefError::BadModel("a b".into()));
    }
}
