//! What the requests of keys have used, summed up from their rows: so it is as exact as they are, whatever crashed.

use async_trait::async_trait;
use wordhoard_model::{Cost, KeyId, Timestamp};

use crate::{Error, LogKey};

/// A cost beyond this can only be a provider's nonsense; bounded, no sum overflows.
pub(crate) const MAX_COST_NANO_USD: u64 = 1_000_000_000_000_000;

/// The tokens of a request, from its row.
macro_rules! tokens_of_row {
    () => {
        "CASE WHEN input_tokens IS NULL AND failed_input_tokens IS NULL THEN coalesce(token_count, 0)
            ELSE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) + coalesce(failed_input_tokens, 0)
                + coalesce(failed_output_tokens, 0) END"
    };
}
pub(crate) use tokens_of_row;

pub(crate) const TOKENS: &str = tokens_of_row!();

/// What the ended requests of some logs have used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnSpending {
    /// Money, by key and day.
    pub days: Vec<SpentOfDay>,
    /// The newest requests.
    pub recent: Vec<RecentRequest>,
}

/// What the requests that a key began on one day have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentOfDay {
    /// Whose.
    pub key: KeyId,
    /// The day, counted from 1970-01-01, in UTC.
    pub day: i64,
    /// How much.
    pub cost: Cost,
}

/// A request, as far as it counts for a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentRequest {
    /// Whose.
    pub key: KeyId,
    /// When it was accepted.
    pub at: Timestamp,
    /// Its tokens, those of failed attempts included; where no provider has counted them, how many deltas came.
    pub tokens: u64,
}

/// What a key uses at other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OthersSpending {
    /// Which one.
    pub key: KeyId,
    /// Requests of the last minute.
    pub requests: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Requests that run at servers that have spoken within the last 30 seconds: of the others nobody knows.
    pub running: u64,
    /// What the requests of the day cost.
    pub day: Cost,
    /// What the requests of the month cost.
    pub month: Cost,
}

/// Sums over the requests of keys.
#[async_trait]
pub trait Spending {
    /// What came in through `logs` and ended before `ended_before`: money of the requests from `month` on, and each
    /// request from `minute` on.
    async fn own_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        minute: Timestamp,
        ended_before: Timestamp,
    ) -> Result<OwnSpending, Error>;

    /// What came in through all other logs than `logs`, from these moments on.
    async fn others_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        day: Timestamp,
        minute: Timestamp,
    ) -> Result<Vec<OthersSpending>, Error>;
}
