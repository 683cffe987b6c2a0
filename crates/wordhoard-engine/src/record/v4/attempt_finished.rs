use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wordhoard_model::{AttemptFinished, Usage, UsageDetails};

use crate::record::v2::attempt_finished::AttemptFinishedV2;

/// Of an attempt with a reason in the provider's own words, or with parts of its usage that have prices of their own.
#[derive(Serialize, Deserialize)]
pub(super) struct AttemptFinishedV4 {
    v2: AttemptFinishedV2,
    envelope: Option<Box<str>>,
    provider_finish_reason: Option<String>,
    /// A JSON object.
    usage_details: Option<String>,
}

impl AttemptFinishedV4 {
    pub(super) fn from_model(finished: &AttemptFinished) -> Self {
        let details = finished.usage.map(|usage| usage.details).filter(|details| !details.is_empty());
        Self {
            v2: AttemptFinishedV2::from_model(finished),
            envelope: finished.envelope.clone(),
            provider_finish_reason: finished.provider_finish_reason.clone(),
            usage_details: details.map(|details| Value::Object(details.to_json()).to_string()),
        }
    }

    pub(super) fn into_model(self) -> Result<AttemptFinished, String> {
        let details: Option<Map<String, Value>> = match self.usage_details {
            None => None,
            Some(told) => Some(serde_json::from_str(&told).map_err(|error| error.to_string())?),
        };
        let finished = self.v2.into_model()?;
        let details = details.as_ref().map(UsageDetails::from_json).unwrap_or_default();
        Ok(AttemptFinished {
            usage: finished.usage.map(|usage| Usage { details, ..usage }),
            envelope: self.envelope,
            provider_finish_reason: self.provider_finish_reason,
            ..finished
        })
    }
}
