use async_trait::async_trait;
use wordhoard_model::Timestamp;

use crate::Error;

/// How much a database holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Those of them that are new, by the caller's word for it.
    pub new_requests: u64,
    /// Those of them that ended with every lane answered.
    pub completed_requests: u64,
    /// Tokens of the requests that have ended.
    pub tokens: u64,
    /// Calls to providers, by the provider's name.
    pub providers: Vec<ProviderTotals>,
}

/// Calls to one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderTotals {
    /// Its name.
    pub provider: String,
    /// How many, those that run included.
    pub attempts: u64,
    /// How long those that have ended took on average, in seconds; none where none has.
    pub average_seconds: Option<f64>,
}

/// Figures for an overview.
#[async_trait]
pub trait Statistics {
    /// How much there is; new are the requests from `new_since` on. Reads indexes of requests and attempts alone, never
    /// tokens.
    async fn totals(&self, new_since: Timestamp) -> Result<Totals, Error>;
}
