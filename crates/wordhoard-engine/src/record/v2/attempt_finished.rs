use serde::{Deserialize, Serialize};
use wordhoard_model::{AttemptFinished, Cost};

use crate::record::v1::attempt_finished::AttemptFinishedV1;

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct AttemptFinishedV2 {
    v1: AttemptFinishedV1,
    cost_nano_usd: Option<u64>,
}

impl AttemptFinishedV2 {
    pub(in crate::record) fn from_model(finished: &AttemptFinished) -> Self {
        Self { v1: AttemptFinishedV1::from_model(finished), cost_nano_usd: finished.cost.map(Cost::nano_usd) }
    }

    pub(in crate::record) fn into_model(self) -> Result<AttemptFinished, String> {
        let cost = self.cost_nano_usd.map(Cost::from_nano_usd);
        Ok(AttemptFinished { cost, ..self.v1.into_model()? })
    }
}
