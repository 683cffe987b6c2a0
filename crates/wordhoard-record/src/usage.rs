use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wordhoard_model::{Usage, UsageDetails};

use crate::Error;

/// What an answer consumed, as it stands on disk.
#[derive(Serialize, Deserialize)]
pub(crate) struct UsageBody {
    input_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    /// What has a price of its own besides: a JSON object, for vendors come up with more.
    details_json: Option<String>,
}

impl UsageBody {
    pub(crate) fn of(usage: Usage) -> Self {
        let Usage { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details } = usage;
        let details_json = (!details.is_empty()).then(|| Value::Object(details.to_json()).to_string());
        Self { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details_json }
    }

    pub(crate) fn into_model(self) -> Result<Usage, Error> {
        let Self { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details_json } = self;
        let details = match details_json {
            None => UsageDetails::default(),
            Some(told) => {
                let told: Map<String, Value> =
                    serde_json::from_str(&told).map_err(|error| Error::malformed(error.to_string()))?;
                UsageDetails::from_json(&told)
            }
        };
        Ok(Usage { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details })
    }
}
