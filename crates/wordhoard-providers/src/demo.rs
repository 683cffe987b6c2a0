//! The built-in provider: models that answer by rule, so that everything can be tried without a key. Their answers are
//! encoded as a real provider's are and take the same way from there on.

mod directive;
mod models;
mod script;
mod speech;
mod transport;

use std::sync::Arc;

use wordhoard_model::{Prefill, ProviderName};
use wordhoard_wire::{Dialect, Unsupported};

pub use self::models::{DemoModel, MODELS};
use self::transport::DemoTransport;
use crate::answering::{Account, DialectProvider, Speaker};
use crate::catalogue::{Catalogue, Declared};
use crate::key_ring::KeyRing;
use crate::redaction::Redactor;
use crate::{Provider, TimeLimits, UpstreamStream};

pub(crate) fn provider(limits: TimeLimits) -> Arc<dyn Provider> {
    #[expect(
        clippy::expect_used,
        reason = "a literal that keeps the rules; every test of the demo proves it"
    )]
    let name = ProviderName::new("demo").expect("demo is a provider name");
    let can_go_on = Declared { prefill: Some(Some(Prefill::Message)), ..Declared::default() };
    let models: Vec<_> = MODELS.iter().map(|model| (model.name.to_owned(), can_go_on.clone())).collect();
    Arc::new(DialectProvider::new(Speaker {
        dialect: Dialect::OpenAiChat,
        is_vertex: false,
        transport: Arc::new(DemoTransport),
        limits,
        redactor: Redactor::default(),
        catalogue: Catalogue::new(Dialect::OpenAiChat, &models),
        unsupported: Unsupported::Drop,
        upstream_stream: UpstreamStream::Always,
        account: Account::Ours(Arc::new(KeyRing::new(name.clone(), Vec::new()))),
        name,
    }))
}

#[cfg(test)]
mod tests;
