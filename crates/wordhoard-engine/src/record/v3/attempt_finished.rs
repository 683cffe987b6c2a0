use serde::{Deserialize, Serialize};
use wordhoard_model::AttemptFinished;

use crate::record::v2::attempt_finished::AttemptFinishedV2;

/// Of an attempt whose provider's last events are kept; one without is written in version 2.
#[derive(Serialize, Deserialize)]
pub(super) struct AttemptFinishedV3 {
    v2: AttemptFinishedV2,
    envelope: Box<str>,
}

impl AttemptFinishedV3 {
    pub(super) fn from_model(finished: &AttemptFinished) -> Self {
        let envelope = finished.envelope.clone().unwrap_or_default();
        Self { v2: AttemptFinishedV2::from_model(finished), envelope }
    }

    pub(super) fn into_model(self) -> Result<AttemptFinished, String> {
        Ok(AttemptFinished { envelope: Some(self.envelope), ..self.v2.into_model()? })
    }
}
