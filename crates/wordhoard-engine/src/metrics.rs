//! What the engine counts and times, as plain handles. A token costs a clock reading and a few atomic additions: no
//! lock, no allocation, no label is looked up for it. Who shows the numbers, and in which format, is not known here.

mod attempt;
mod histogram;
mod instruments;
mod models;
mod prompts;

use std::collections::BTreeMap;

pub(crate) use attempt::AttemptMeter;
pub use histogram::{Histogram, Reading};
pub use instruments::{Counter, Gauge, Inside, Tally};
pub use models::{ModelMetrics, Models, OTHER, ProviderMetrics};
pub use prompts::PromptFate;
use wordhoard_model::{Outcome, ProviderName};

/// Upper bounds of the buckets for a transaction of SQL, in microseconds.
const APPLY_BOUNDS_MICROS: &[u64] = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    15_000_000, 60_000_000,
];

/// All that the engine measures.
#[derive(Debug)]
pub struct Metrics {
    /// Calls to providers.
    pub models: Models,
    /// What became of the prompts that came.
    pub prompts: Tally<PromptFate>,
    /// Requests that ended here, by how.
    pub requests: Tally<Outcome>,
    /// How long SQL took for a transaction.
    pub apply: Histogram,
}

impl Metrics {
    /// For these providers, each with the models that have figures of their own; all others share one.
    pub fn new(providers: BTreeMap<ProviderName, Vec<String>>) -> Self {
        Self {
            models: Models::new(providers),
            prompts: Tally::new(PromptFate::ALL),
            requests: Tally::new(Outcome::ALL),
            apply: Histogram::new(APPLY_BOUNDS_MICROS),
        }
    }
}
