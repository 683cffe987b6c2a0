use clap::Args;
use wordhoard_model::{Cost, KeyLimits, ModelPattern};

use crate::access;

/// What a key may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (what is not given is not limited)")]
pub(super) struct LimitArgs {
    /// Requests within any 60 seconds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers within any 60 seconds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_per_minute: Option<u64>,
    /// Requests that run at the same time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent_requests: Option<u32>,
    /// A model that may be asked, as provider:model, or all of a provider's, as "provider:*"; may be given often.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<ModelPattern>,
    /// US dollars for the requests of a day (UTC).
    #[arg(long, value_name = "USD", value_parser = budget)]
    budget_per_day: Option<Cost>,
    /// US dollars for the requests of a month (UTC).
    #[arg(long, value_name = "USD", value_parser = budget)]
    budget_per_month: Option<Cost>,
}

fn budget(text: &str) -> Result<Cost, String> {
    access::budget(text.parse().map_err(|_| "must be a number of US dollars, such as 12.50".to_owned())?)
}

impl LimitArgs {
    pub(super) fn into_limits(self) -> KeyLimits {
        KeyLimits {
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            concurrent_requests: self.concurrent_requests,
            models: (!self.models.is_empty()).then_some(self.models),
            budget_per_day: self.budget_per_day,
            budget_per_month: self.budget_per_month,
        }
    }
}

/// In words, for a list.
pub(super) fn told(limits: &KeyLimits) -> String {
    let names =
        |models: &Vec<ModelPattern>| models.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let parts = [
        limits.requests_per_minute.map(|most| format!("{most} requests/min")),
        limits.tokens_per_minute.map(|most| format!("{most} tokens/min")),
        limits.concurrent_requests.map(|most| format!("{most} at a time")),
        limits.budget_per_day.map(|most| format!("{most} USD/day")),
        limits.budget_per_month.map(|most| format!("{most} USD/month")),
        limits.models.as_ref().map(names),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
