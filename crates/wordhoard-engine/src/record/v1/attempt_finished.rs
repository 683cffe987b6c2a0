use serde::{Deserialize, Serialize};
use wordhoard_model::{AttemptFinished, AttemptSeq, Failure, FailureClass, FinishReason, Outcome};

use super::named;
use super::usage::UsageV1;

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct AttemptFinishedV1 {
    attempt_seq: u32,
    outcome: String,
    finish_reason: Option<String>,
    usage: Option<UsageV1>,
    token_count: u64,
    answered_by: Option<String>,
    failure: Option<FailureV1>,
}

#[derive(Serialize, Deserialize)]
struct FailureV1 {
    class: String,
    message: String,
    provider_status: Option<u16>,
    retry_after_ms: Option<u64>,
}

impl AttemptFinishedV1 {
    pub(in crate::record) fn from_model(finished: &AttemptFinished) -> Self {
        Self {
            attempt_seq: finished.attempt_seq.0,
            outcome: finished.outcome.as_str().to_owned(),
            finish_reason: finished.finish_reason.as_ref().map(|reason| reason.0.clone()),
            usage: finished.usage.map(UsageV1::from_model),
            token_count: finished.token_count,
            answered_by: finished.answered_by.clone(),
            failure: finished.failure.as_ref().map(FailureV1::from_model),
        }
    }

    pub(in crate::record) fn into_model(self) -> Result<AttemptFinished, String> {
        Ok(AttemptFinished {
            attempt_seq: AttemptSeq(self.attempt_seq),
            outcome: named(&self.outcome, Outcome::from_name)?,
            finish_reason: self.finish_reason.map(FinishReason),
            usage: self.usage.map(UsageV1::into_model),
            cost: None,
            token_count: self.token_count,
            answered_by: self.answered_by,
            failure: self.failure.map(FailureV1::into_model).transpose()?,
            envelope: None,
            provider_finish_reason: None,
        })
    }
}

impl FailureV1 {
    fn from_model(failure: &Failure) -> Self {
        Self {
            class: failure.class.as_str().to_owned(),
            message: failure.message.clone(),
            provider_status: failure.provider_status,
            retry_after_ms: failure.retry_after_ms,
        }
    }

    fn into_model(self) -> Result<Failure, String> {
        Ok(Failure {
            class: named(&self.class, FailureClass::from_name)?,
            message: self.message,
            provider_status: self.provider_status,
            retry_after_ms: self.retry_after_ms,
        })
    }
}
