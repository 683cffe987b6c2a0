//! The built-in provider: models that answer by rule, so that everything can be tried without a key. Their answers are
//! encoded as a real provider's are and take the same way from there on.

mod directive;
mod models;
mod script;
mod speech;
mod transport;

use std::sync::Arc;

use wordhoard_model::ProviderName;

pub use self::models::{DemoModel, MODELS};
use self::transport::DemoTransport;
use crate::chat::ChatProvider;
use crate::redaction::Redactor;
use crate::{Provider, TimeLimits};

pub(crate) fn provider(limits: TimeLimits) -> Arc<dyn Provider> {
    #[expect(
        clippy::expect_used,
        reason = "a literal that keeps the rules; every test of the demo proves it"
    )]
    let name = ProviderName::new("demo").expect("demo is a provider name");
    Arc::new(ChatProvider::new(name, Arc::new(DemoTransport), limits, Redactor::default()))
}

#[cfg(test)]
mod tests;
