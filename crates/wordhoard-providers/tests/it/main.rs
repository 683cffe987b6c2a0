//! Providers against one that misbehaves over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod classes;
mod connections;
mod keys;
mod money;
mod secrets;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use wordhoard_model::{Failure, Parameters, Prompt, ProviderName};
use wordhoard_providers::{
    AnswerPart, ApiKey, Call, Completion, Dialect, HttpSettings, NamedKey, Provider, TimeLimits, Unsupported,
    UpstreamStream, conversation_of, over_http,
};
use wordhoard_testkit::provider::MisbehavingProvider;

const PROMPT: &str = "why do lighthouses flicker";
const KEY: &str = "canary.0123456789abcdef";

/// Limits that differ from each other, so that a test sees which one it was.
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_millis(150),
    first_token: Duration::from_millis(300),
    between_bytes: Duration::from_millis(200),
    total: Duration::from_secs(5),
};

fn settings(base_url: String, limits: TimeLimits) -> HttpSettings {
    HttpSettings {
        name: ProviderName::new("mock").unwrap(),
        base_url,
        dialect: Dialect::OpenAiChat,
        auth: None,
        keys: vec![NamedKey { key: ApiKey::new(KEY.into()), source: "TEST_KEY".into() }],
        allow_private: true,
        limits,
        models: Vec::new(),
        unsupported: Unsupported::Refuse,
        upstream_stream: UpstreamStream::Always,
    }
}

fn provider_at(base_url: String, limits: TimeLimits) -> Arc<dyn Provider> {
    over_http(settings(base_url, limits)).unwrap()
}

fn provider(mock: &MisbehavingProvider) -> Arc<dyn Provider> {
    provider_at(mock.base_url(), LIMITS)
}

fn call(model: &str) -> Call {
    let prompt = Prompt::new(PROMPT.into(), None, Parameters::default()).unwrap();
    Call::new(model, Arc::new(conversation_of(&prompt).unwrap()))
}

/// Everything that an answer gave.
struct Answered {
    tokens: Vec<(wordhoard_model::TokenKind, String)>,
    end: Result<Completion, Failure>,
}

async fn ask(provider: &dyn Provider, model: &str) -> Answered {
    let mut stream = provider.answer(call(model));
    let (mut tokens, mut end) = (Vec::new(), None);
    while let Some(part) = stream.next().await {
        assert!(end.is_none(), "a part came after the end");
        match part {
            Ok(AnswerPart::Pieces(pieces)) => {
                tokens.extend(pieces.deltas.into_iter().map(|delta| (delta.kind, delta.text)));
            }
            Ok(AnswerPart::Usage(_)) => {}
            Ok(AnswerPart::Completed(completion)) => end = Some(Ok(*completion)),
            Err(broken) => end = Some(Err(broken.failure)),
        }
    }
    Answered { tokens, end: end.expect("a stream ends with Completed or a failure") }
}
