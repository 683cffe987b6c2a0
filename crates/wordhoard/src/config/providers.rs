//! Whom the server can call, and how.

use wordhoard_model::{ModelRef, ProviderName};
use wordhoard_providers::{Auth, Declared, NamedKey, TimeLimits, Unsupported, UpstreamStream};

/// A provider as configured.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// The part before the colon in `openai:gpt-4o`.
    pub name: ProviderName,
    /// Where it is.
    pub reach: Reach,
    /// How long it may take.
    pub limits: TimeLimits,
    /// How many calls of native prompts to it may run at the same time.
    pub concurrency: usize,
    /// How many calls of the drop-in APIs may.
    pub drop_in_concurrency: usize,
    /// Its models; empty where any name passes.
    pub models: Vec<ModelConfig>,
}

/// Where a provider is.
#[derive(Clone, Debug)]
pub enum Reach {
    /// At a URL.
    Http(HttpProvider),
    /// In this process: the built-in models.
    Demo,
}

/// A provider at a URL.
#[derive(Clone, Debug)]
pub struct HttpProvider {
    /// How it is spoken to.
    pub dialect: wordhoard_providers::Dialect,
    /// The URL before the dialect's routes.
    pub base_url: String,
    /// How it knows us, where that is another way than its dialect's.
    pub auth: Option<Auth>,
    /// Its keys, in the order in which they are tried.
    pub keys: Vec<NamedKey>,
    /// Whether it may have a loopback or private address.
    pub allow_private: bool,
    /// What happens to a field that it cannot honour.
    pub unsupported: Unsupported,
    /// How it is asked for an answer that its client wants as one document.
    pub upstream_stream: UpstreamStream,
}

/// A model as configured.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The provider's name for it.
    pub name: String,
    /// What is said of it.
    pub declared: Declared,
}

/// Which models answer where the caller names none: the first class that fits the prompt, up to three models of
/// different providers.
#[derive(Clone, Debug)]
pub struct SelectionConfig {
    /// For prompts about code.
    pub coding: Vec<Rule>,
    /// For prompts that ask for reasoning.
    pub reasoning: Vec<Rule>,
    /// For prompts over 1,000 characters.
    pub long: Vec<Rule>,
    /// For all others.
    pub default: Vec<Rule>,
}

/// A model of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The model.
    pub model: ModelRef,
    /// Its share of the choice, above 0. A class in which one has a weight is chosen from at random; one without any
    /// is taken in its order.
    pub weight: Option<f64>,
}

impl SelectionConfig {
    /// All rules of all classes.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        [&self.default, &self.coding, &self.reasoning, &self.long].into_iter().flatten()
    }
}

impl ProviderConfig {
    /// Whether it takes a model of that name: one that it lists, or any where it lists none.
    pub fn takes(&self, model: &str) -> bool {
        self.models.is_empty() || self.lists(model)
    }

    /// Whether it lists a model of that name.
    pub fn lists(&self, model: &str) -> bool {
        self.models.iter().any(|listed| listed.name == model)
    }
}
