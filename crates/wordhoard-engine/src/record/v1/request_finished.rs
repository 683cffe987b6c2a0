use serde::{Deserialize, Serialize};
use wordhoard_model::{Outcome, RequestFinished};

use super::named;
use super::usage::UsageV1;

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct RequestFinishedV1 {
    outcome: String,
    lanes_completed: u32,
    attempt_count: u32,
    token_count: u64,
    usage: Option<UsageV1>,
}

impl RequestFinishedV1 {
    pub(in crate::record) fn from_model(finished: &RequestFinished) -> Self {
        Self {
            outcome: finished.outcome.as_str().to_owned(),
            lanes_completed: finished.lanes_completed,
            attempt_count: finished.attempt_count,
            token_count: finished.token_count,
            usage: finished.usage.map(UsageV1::from_model),
        }
    }

    pub(in crate::record) fn into_model(self) -> Result<RequestFinished, String> {
        Ok(RequestFinished {
            outcome: named(&self.outcome, Outcome::from_name)?,
            lanes_completed: self.lanes_completed,
            attempt_count: self.attempt_count,
            token_count: self.token_count,
            usage: self.usage.map(UsageV1::into_model),
            failed_usage: None,
            cost: None,
        })
    }
}
