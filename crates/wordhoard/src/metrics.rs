//! All figures of the server, gathered when somebody asks, as families that do not know how they are shown. The names
//! that start with `llm_` are about prompts and answers, those with `wordhoard_` about the server itself.

mod engine;
mod family;
mod http;
mod json;
mod process;
mod server;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use wordhoard_engine::Engine;
use wordhoard_engine::metrics::Metrics;
use wordhoard_model::{ModelRef, ProviderName, Timestamp};

use crate::config::{Config, Limits};
use crate::upkeep::Upkeep;

use family::Family;
pub(crate) use http::HttpMetrics;
pub(crate) use json::document;
pub(crate) use text::{CONTENT_TYPE, page};

/// Where the figures come from.
pub(crate) struct Sources<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) http: &'a HttpMetrics,
    pub(crate) upkeep: Upkeep,
    pub(crate) limits: &'a Limits,
    pub(crate) started_at: Timestamp,
}

/// Gathers all of them. Asks neither SQL nor the network.
pub(crate) fn gather(sources: &Sources<'_>) -> Vec<Family> {
    let status = sources.engine.status();
    let mut families = engine::families(sources.engine, &status);
    families.extend(server::families(sources, &status));
    families.extend(sources.http.families());
    families.extend(process::families(sources.started_at));
    families
}

/// What there is before the engine is: the process, and that it takes in nothing yet.
pub(crate) fn of_a_start(started_at: Timestamp) -> Vec<Family> {
    let mut families = vec![server::ready(false)];
    families.extend(process::families(started_at));
    families
}

/// The engine's instruments. Models that the configuration names have figures of their own; whatever else callers ask
/// for shares one, so that nobody can make the figures grow without end.
pub(crate) fn instruments(config: &Config) -> Metrics {
    let mut models: BTreeMap<ProviderName, BTreeSet<String>> = BTreeMap::new();
    for provider in &config.providers {
        models
            .entry(provider.name.clone())
            .or_default()
            .extend(provider.models.iter().map(|model| model.name.clone()));
    }
    let selected = config.selection.rules().map(|rule| &rule.model);
    for ModelRef { provider, model } in config.aliases.values().chain(selected).chain(&config.calls.fallback)
    {
        if let Some(known) = models.get_mut(provider) {
            known.insert(model.clone());
        }
    }
    let sorted = models.into_iter().map(|(provider, models)| (provider, models.into_iter().collect()));
    Metrics::new(sorted.collect())
}
