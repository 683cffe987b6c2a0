use std::collections::BTreeMap;
use std::sync::Arc;

use wordhoard_model::{FailureClass, ModelRef, Outcome, ProviderName};

use super::Histogram;
use super::instruments::{Counter, Gauge, Tally};

/// What stands in the place of a name that has no figures of its own.
pub const OTHER: &str = "other";

/// Upper bounds in microseconds: the first token comes after tens of milliseconds to half a minute,
const FIRST_TOKEN_BOUNDS_MICROS: &[u64] = &[
    50_000, 100_000, 200_000, 350_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
    5_000_000, 8_000_000, 13_000_000, 20_000_000, 30_000_000,
];
/// the next after milliseconds to seconds,
const BETWEEN_TOKENS_BOUNDS_MICROS: &[u64] = &[
    1_000, 5_000, 10_000, 20_000, 35_000, 50_000, 75_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
    5_000_000, 10_000_000, 30_000_000,
];
/// and the whole takes a second to ten minutes.
const ATTEMPT_BOUNDS_MICROS: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    40_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];

/// Calls to providers, by provider and model. The set is fixed at the start, so whoever calls cannot make it grow.
#[derive(Debug)]
pub struct Models {
    providers: BTreeMap<ProviderName, ProviderMetrics>,
    /// Of providers that are not configured.
    other: ProviderMetrics,
}

/// Calls to one provider.
#[derive(Debug)]
pub struct ProviderMetrics {
    /// Its name.
    pub name: String,
    /// Calls that run.
    pub in_flight: Gauge,
    /// Calls that failed, by why.
    pub failures: Tally<FailureClass>,
    /// Calls that were tries of one that had failed.
    pub retries: Counter,
    /// Calls in the place of a model that had failed.
    pub fallbacks: Counter,
    /// Calls that went on from an earlier answer.
    pub continuations: Counter,
    /// How often its breaker opened.
    pub breaker_openings: Counter,
    /// What its answers cost, in nano-dollars, as far as prices are known.
    pub cost_nano_usd: Counter,
    models: BTreeMap<String, Arc<ModelMetrics>>,
    other: Arc<ModelMetrics>,
}

/// Calls to one model.
#[derive(Debug)]
pub struct ModelMetrics {
    /// Its name.
    pub name: String,
    /// Calls that have ended, by how.
    pub attempts: Tally<Outcome>,
    /// Tokens (deltas) that came.
    pub tokens: Counter,
    /// Tokens of prompts, as the provider counts.
    pub input_tokens: Counter,
    /// Tokens of answers, as the provider counts.
    pub output_tokens: Counter,
    /// From the call to its first token.
    pub first_token: Histogram,
    /// From one token to the next.
    pub between_tokens: Histogram,
    /// From the call to its end.
    pub duration: Histogram,
}

impl Models {
    pub(super) fn new(providers: BTreeMap<ProviderName, Vec<String>>) -> Self {
        let provider = |(name, models): (ProviderName, Vec<String>)| {
            let metrics = ProviderMetrics::new(name.as_str(), models);
            (name, metrics)
        };
        let providers = providers.into_iter().map(provider).collect();
        Self { providers, other: ProviderMetrics::new(OTHER, Vec::new()) }
    }

    /// The providers, sorted; at the end what is of none of them, if there is anything.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderMetrics> {
        self.providers.values().chain(Some(&self.other).filter(|other| other.other.is_used()))
    }

    /// Where calls to this provider are counted.
    pub(crate) fn of_provider(&self, provider: &ProviderName) -> &ProviderMetrics {
        self.providers.get(provider).unwrap_or(&self.other)
    }

    /// Where a call to this model is counted.
    pub(crate) fn of(&self, model: &ModelRef) -> (&ProviderMetrics, &Arc<ModelMetrics>) {
        let provider = self.providers.get(&model.provider).unwrap_or(&self.other);
        (provider, provider.models.get(&model.model).unwrap_or(&provider.other))
    }
}

impl ProviderMetrics {
    fn new(name: &str, models: Vec<String>) -> Self {
        let model = |name: String| (name.clone(), Arc::new(ModelMetrics::new(name)));
        Self {
            name: name.to_owned(),
            in_flight: Gauge::default(),
            failures: Tally::new(FailureClass::ALL),
            retries: Counter::default(),
            fallbacks: Counter::default(),
            continuations: Counter::default(),
            breaker_openings: Counter::default(),
            cost_nano_usd: Counter::default(),
            models: models.into_iter().map(model).collect(),
            other: Arc::new(ModelMetrics::new(OTHER.to_owned())),
        }
    }

    /// Its models that have figures of their own, sorted; at the end the others together, if any was called.
    pub fn models(&self) -> impl Iterator<Item = &ModelMetrics> {
        let named = self.models.values().map(|model| &**model);
        named.chain(Some(&*self.other).filter(|other| other.is_used()))
    }
}

impl ModelMetrics {
    fn new(name: String) -> Self {
        Self {
            name,
            attempts: Tally::new(Outcome::ALL),
            tokens: Counter::default(),
            input_tokens: Counter::default(),
            output_tokens: Counter::default(),
            first_token: Histogram::new(FIRST_TOKEN_BOUNDS_MICROS),
            between_tokens: Histogram::new(BETWEEN_TOKENS_BOUNDS_MICROS),
            duration: Histogram::new(ATTEMPT_BOUNDS_MICROS),
        }
    }

    /// Whether it was ever called. One that was not has no figures worth showing but its zeros.
    pub fn is_used(&self) -> bool {
        self.tokens.get() > 0 || self.attempts.total() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_configured_share_their_figures() {
        let demo = ProviderName::new("demo").unwrap();
        let models = Models::new(BTreeMap::from([(demo, vec!["brisk".to_owned()])]));
        let place = |model: &str| {
            let (provider, model) = models.of(&model.parse().unwrap());
            (provider.name.clone(), model.name.clone())
        };
        assert_eq!(place("demo:brisk"), ("demo".to_owned(), "brisk".to_owned()));
        assert_eq!(place("demo:made-up"), ("demo".to_owned(), OTHER.to_owned()));
        assert_eq!(place("elsewhere:brisk"), (OTHER.to_owned(), OTHER.to_owned()));
        let shown = |models: &Models| {
            let names = |provider: &ProviderMetrics| {
                provider.models().map(|model| format!("{}:{}", provider.name, model.name)).collect::<Vec<_>>()
            };
            models.providers().flat_map(names).collect::<Vec<_>>()
        };
        assert_eq!(shown(&models), ["demo:brisk"]);
        for stranger in 0..100 {
            let model: ModelRef = format!("p{stranger}:m{stranger}").parse().unwrap();
            models.of(&model).1.attempts.add(Outcome::Failed, 1);
        }
        assert_eq!(shown(&models), ["demo:brisk", "other:other"]);
    }
}
