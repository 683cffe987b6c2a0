use serde::{Deserialize, Serialize};
use wordhoard_model::{Usage, UsageDetails};

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct UsageV1 {
    input_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
}

impl UsageV1 {
    pub(in crate::record) fn from_model(usage: Usage) -> Self {
        // Version 4 of what ends an attempt has the details.
        let Usage { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details: _ } = usage;
        Self { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens }
    }

    pub(in crate::record) fn into_model(self) -> Usage {
        let Self { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens } = self;
        let details = UsageDetails::default();
        Usage { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details }
    }
}
