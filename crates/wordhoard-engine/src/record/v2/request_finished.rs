use serde::{Deserialize, Serialize};
use wordhoard_model::{Cost, RequestFinished};

use crate::record::v1::request_finished::RequestFinishedV1;
use crate::record::v1::usage::UsageV1;

#[derive(Serialize, Deserialize)]
pub(super) struct RequestFinishedV2 {
    v1: RequestFinishedV1,
    failed_usage: Option<UsageV1>,
    cost_nano_usd: Option<u64>,
}

impl RequestFinishedV2 {
    pub(super) fn from_model(finished: &RequestFinished) -> Self {
        Self {
            v1: RequestFinishedV1::from_model(finished),
            failed_usage: finished.failed_usage.map(UsageV1::from_model),
            cost_nano_usd: finished.cost.map(Cost::nano_usd),
        }
    }

    pub(super) fn into_model(self) -> Result<RequestFinished, String> {
        Ok(RequestFinished {
            failed_usage: self.failed_usage.map(UsageV1::into_model),
            cost: self.cost_nano_usd.map(Cost::from_nano_usd),
            ..self.v1.into_model()?
        })
    }
}
